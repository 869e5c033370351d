"""The one-batch check: the first batch of a run, put together as training does, and what the model would learn from it.

The processor's own numbers are compared with the sample's: as many picture slots as pictures, as many tokens as were counted. No
weights are needed.
"""

from dataclasses import dataclass
from itertools import groupby

from transformers import AutoConfig

from sightline.errors import InputError
from sightline.train.trainable import Processes
from sightline.train.vlm.collate import Batch, Collator
from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.loading import Batches, load_batches
from sightline.train.vlm.prepare import Prepared
from sightline.train.vlm.settings import VlmSettings


@dataclass(frozen=True)
class Stretch:
    """A piece of a sample's text. `supervised`: the model is to write it. Runs of the media token are told as `<token x 64>`."""

    text: str
    supervised: bool


@dataclass(frozen=True)
class CheckedSample:
    """One sample of the batch: its numbers, and its text in stretches."""

    id: str
    source: str
    num_pictures: int
    num_tokens: int
    num_supervised: int
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class CheckedBatch:
    """What the check saw. `shapes` are those of the batch's tensors by name."""

    samples: tuple[CheckedSample, ...]
    shapes: dict[str, tuple[int, ...]]
    padding: float


def check_batch(settings: VlmSettings, prepared: Prepared) -> CheckedBatch:
    """Put batch 0 of the first process together and look at it.

    Raises:
        InputError: a sample's media slots and media differ, it cannot be read or has another length than was counted, it has
            nothing to learn from, or its words are not what was labelled; the message names it.
    """
    config = AutoConfig.from_pretrained(settings.model.path, local_files_only=True)
    collator = Collator(prepared.chat, config, shared=settings.data.shared_images)
    processes = Processes(0, settings.trainer.devices * settings.trainer.num_nodes)
    batches = Batches(prepared.training, collator, processes, accumulate=settings.trainer.accumulate, per=settings.loss_per)
    loaded = next(load_batches(batches, range(1)))
    assert loaded.batch is not None, "a sample that cannot be read stops the check"
    batch = loaded.batch
    tokens = [tensor.tolist() for tensor in _texts(batch)]
    tensors = {"input_ids": batch.input_ids, "targets": batch.targets, "position_ids": batch.position_ids}
    return CheckedBatch(
        samples=tuple(_sample(batch, index, prepared, ids) for index, ids in enumerate(tokens)),
        shapes={name: tuple(tensor.shape) for name, tensor in (tensors | batch.pictures.tensors).items()},
        padding=batch.padding,
    )


def _texts(batch: Batch) -> list:
    """Ids and targets of each sample, (2, n), in the order of `ids`."""
    import torch  # noqa: PLC0415

    both = torch.stack([batch.input_ids, batch.targets])
    return [
        both[:, row, batch.sequences[row] == number]
        for row in range(batch.input_ids.shape[0])
        for number in range(int(batch.sequences[row].max()) + 1)
    ]


def _sample(batch: Batch, index: int, prepared: Prepared, tokens: list[list[int]]) -> CheckedSample:
    ids, targets = tokens
    name = f"{batch.sources[index]}, sample {batch.ids[index]!r}"
    supervised = [False, *(target != IGNORED for target in targets[:-1])]
    for place, target in enumerate(targets[:-1]):
        if target not in (IGNORED, ids[place + 1]):
            raise InputError(f"{name}: token {place} is to foretell {target}, but {ids[place + 1]} comes next.")
    if not any(supervised):
        raise InputError(f"{name}: no token is supervised, so nothing would be learnt from it. Is its answer empty?")
    slot = prepared.chat.labeller.processor.image_token
    slot_id = prepared.chat.labeller.processor.tokenizer.convert_tokens_to_ids(slot)
    in_slots = sum(1 for is_slot, _ in groupby(ids, key=slot_id.__eq__) if is_slot)
    if batch.num_pictures[index] and not in_slots:
        raise InputError(f"{name}: {batch.num_pictures[index]} pictures, but no token {slot} in its text.")
    return CheckedSample(
        id=batch.ids[index],
        source=batch.sources[index],
        num_pictures=batch.num_pictures[index],
        num_tokens=batch.num_tokens[index],
        num_supervised=batch.num_supervised[index],
        stretches=_stretches(ids, supervised, prepared, (slot, slot_id)),
    )


def _stretches(ids: list[int], supervised: list[bool], prepared: Prepared, slot: tuple[str, int]) -> tuple[Stretch, ...]:
    tokenizer = prepared.chat.labeller.processor.tokenizer
    found = []
    for (is_supervised, is_slot), each in groupby(
        zip(ids, supervised, strict=True), key=lambda pair: (pair[1], pair[0] == slot[1])
    ):
        run = [token for token, _ in each]
        text = f"{slot[0]} x {len(run)}" if is_slot else tokenizer.decode(run, skip_special_tokens=False)
        found.append(Stretch(text, is_supervised))
    return tuple(found)
