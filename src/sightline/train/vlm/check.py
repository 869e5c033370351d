"""The one-batch check: the first batch of a run, put together as training does, and what the model would learn from it.

The processor's own numbers are compared with the sample's: as many picture slots as pictures, as many tokens as were counted. No
weights are needed.
"""

from dataclasses import dataclass
from itertools import groupby

from sightline.errors import InputError
from sightline.train.trainable import Processes
from sightline.train.vlm.collate import Batch, Collator, beginning_of
from sightline.train.vlm.kept_features import features_of
from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.loading import Batches, load_batches
from sightline.train.vlm.prepare import Prepared
from sightline.train.vlm.settings import VlmSettings
from sightline.train.vlm.shown import DecodedSample, Stretch


@dataclass(frozen=True)
class CheckedBatch:
    """What the check saw. `shapes` are those of the batch's tensors by name."""

    samples: tuple[DecodedSample, ...]
    shapes: dict[str, tuple[int, ...]]
    padding: float


def check_batch(settings: VlmSettings, prepared: Prepared) -> CheckedBatch:
    """Put batch 0 of the first process together and look at it.

    Raises:
        InputError: a sample's media slots and media differ, it cannot be read or has another length than was counted, it has
            nothing to learn from, or its words are not what was labelled; the message names it.
    """
    features = features_of(settings, prepared.chat)
    data = settings.data
    sharing = {"shared": data.shared_images, "shared_prefix": data.pack_by == "prefix"}
    collator = Collator(prepared.chat, prepared.chat.checkpoint.config, features=features, **sharing)
    processes = Processes(0, settings.trainer.devices * settings.trainer.num_nodes)
    batches = Batches(prepared.training, collator, processes, accumulate=settings.trainer.accumulate, per=settings.loss_per)
    loaded = next(load_batches(batches, range(1)))
    assert loaded.batch is not None, "a sample that cannot be read stops the check"
    batch = loaded.batch
    tensors = {"input_ids": batch.input_ids, "targets": batch.targets, "position_ids": batch.position_ids}
    return CheckedBatch(
        samples=tuple(_checked(batch, index, prepared, ids) for index, ids in enumerate(_texts(batch))),
        shapes={name: tuple(tensor.shape) for name, tensor in (tensors | batch.pictures.tensors).items()},
        padding=batch.padding,
    )


def decoded_samples(batch: Batch, prepared: Prepared, *, limit: int) -> tuple[DecodedSample, ...]:
    """The first `limit` samples of a batch in words."""
    texts = _texts(batch)[:limit]
    return tuple(_decoded(batch, index, prepared, tokens) for index, tokens in enumerate(texts))


def _texts(batch: Batch) -> list[list[list[int]]]:
    """Ids and targets of each sample, [2][n], in the order of `ids`."""
    import torch  # noqa: PLC0415

    both = torch.stack([batch.input_ids, batch.targets])
    return [
        both[:, row, (batch.sequences[row] == number) | beginning_of(batch, row, number)].tolist()
        for row in range(batch.input_ids.shape[0])
        for number in range(int(batch.sequences[row].max()) + 1)
    ]


def _checked(batch: Batch, index: int, prepared: Prepared, tokens: list[list[int]]) -> DecodedSample:
    ids, targets = tokens
    name = f"{batch.sources[index]}, sample {batch.ids[index]!r}"
    for place, target in enumerate(targets[:-1]):
        if target not in (IGNORED, ids[place + 1]):
            raise InputError(f"{name}: token {place} is to foretell {target}, but {ids[place + 1]} comes next.")
    if all(target == IGNORED for target in targets[:-1]):
        raise InputError(f"{name}: no token is supervised, so nothing would be learnt from it. Is its answer empty?")
    slot, slot_id = _slot(prepared)
    in_slots = sum(1 for is_slot, _ in groupby(ids, key=slot_id.__eq__) if is_slot)
    if batch.num_pictures[index] and not in_slots:
        raise InputError(f"{name}: {batch.num_pictures[index]} pictures, but no token {slot} in its text.")
    return _decoded(batch, index, prepared, tokens)


def _decoded(batch: Batch, index: int, prepared: Prepared, tokens: list[list[int]]) -> DecodedSample:
    ids, targets = tokens
    supervised = [False, *(target != IGNORED for target in targets[:-1])]
    return DecodedSample(
        id=batch.ids[index],
        source=batch.sources[index],
        num_pictures=batch.num_pictures[index],
        num_depths=_num_depths(batch, index),
        num_tokens=batch.num_tokens[index],
        num_supervised=batch.num_supervised[index],
        stretches=_stretches(ids, supervised, prepared),
    )


def _num_depths(batch: Batch, index: int) -> int:
    """How many pictures of a sample come with depth."""
    if not batch.pictures.depth_tiles:
        return 0
    start = sum(batch.num_pictures[:index])
    uses = batch.pictures.uses[start : start + batch.num_pictures[index]].tolist()
    return sum(batch.pictures.depth_tiles[use] > 0 for use in uses)


def _slot(prepared: Prepared) -> tuple[str, int]:
    """The token that pictures stand in for, as text and as id."""
    slot = prepared.chat.labeller.processor.image_token
    return slot, prepared.chat.labeller.processor.tokenizer.convert_tokens_to_ids(slot)


def _stretches(ids: list[int], supervised: list[bool], prepared: Prepared) -> tuple[Stretch, ...]:
    tokenizer = prepared.chat.labeller.processor.tokenizer
    slots = {tokenizer.convert_tokens_to_ids(word): word for word in prepared.chat.checkpoint.media_tokens}
    found = []
    for (is_supervised, slot), each in groupby(zip(ids, supervised, strict=True), key=lambda pair: (pair[1], slots.get(pair[0]))):
        run = [token for token, _ in each]
        text = tokenizer.decode(run, skip_special_tokens=False) if slot is None else f"{slot} x {len(run)}"
        found.append(Stretch(text, is_supervised))
    return tuple(found)
