"""Sa2VA as a `Trainable`: planned conversations, the losses of their text and masks, and J and F of held-out task sets.

Which conversations a batch has follows from the plan alone; what is drawn while it is computed (dropout, points of masks) from the
seed and the conversation's number. So the state is the model, the optimiser and the step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from sightline.models.sa2va.network import Sa2Va
from sightline.models.sa2va.objective import sample_losses
from sightline.train.sa2va.building import build_model, groups_of, hush_frozen, plain_model
from sightline.train.sa2va.evaluation import HeldOut
from sightline.train.sa2va.loading import Batches, Loaded, Preparation, Ready, load_batches
from sightline.train.sa2va.plan import Plan, Weighted
from sightline.train.sa2va.settings import Sa2VaTrainSettings
from sightline.train.seeding import seed_batch
from sightline.train.trainable import BatchNote, Processes
from sightline.train.vlm.parts import ParameterGroup
from sightline.types import LedgerEntry

TERMS = ("text", "mask", "dice")


class Sa2VaTraining:
    """A checkpoint with what it is trained on.

    Args:
        held: what it is asked while it trains; None: nothing.
        on_skip: called with each conversation that is left out (`data.on_missing=skip`).

    Raises:
        FileNotFoundError, InputError: the checkpoint cannot be used, or its parts cannot be set so.
    """

    def __init__(
        self,
        settings: Sa2VaTrainSettings,
        sources: tuple[Weighted, ...],
        *,
        held: HeldOut | None = None,
        on_skip: Callable[[LedgerEntry], None] = lambda _: None,
    ) -> None:
        self.settings, self.held, self.on_skip = settings, held, on_skip
        self.model = build_model(settings.model, seed=settings.seed)
        data = settings.data
        num_batches = settings.trainer.max_steps * settings.trainer.accumulate
        self.plan = Plan(sources, data.batch_size, num_batches, settings.seed)
        self.names = tuple(each.source.name for each in sources)
        self._by_source: dict[str, list[Tensor]] = {}
        room = self.model.language.config.get_text_config().max_position_embeddings
        self.preparation = Preparation(
            family=self.model.family,
            tokenizer=self.model.tokenizer,
            mode=settings.mode.mode,
            side=self.model.grounding.image_size,
            places=data.places,
            max_tokens=min(data.max_tokens, room),
        )

    @property
    def module(self) -> nn.Module:
        """The whole model, frozen parts included."""
        return self.model

    def parameter_groups(self) -> list[ParameterGroup]:
        """By part, with and without weight decay."""
        return groups_of(self.model, self.settings.model, self.settings.rates)

    def batches(self, numbers: range, processes: Processes) -> Iterator[Loaded]:
        """This process's conversations of each batch."""
        data = self.settings.data
        batches = Batches(self.plan, self.preparation, rank=processes.rank, num_processes=processes.count)
        for loaded in load_batches(batches, numbers, num_workers=data.num_workers, on_missing=data.on_missing):
            for entry in loaded.skipped:
                self.on_skip(entry)
            yield loaded

    def to_device(self, batch: Loaded, device: torch.device) -> Loaded:
        """The pictures for SAM 2 on a device; the language model's follow when it reads them."""
        return replace(batch, conversations=tuple(_moved(each, device) for each in batch.conversations))

    def note(self, batch: Loaded) -> BatchNote:
        """The conversations by source and id; conversations, tokens, pictures and masks for rates; the loss by source."""
        made = batch.conversations
        measured: dict[str, tuple[float | Tensor, float]] = {}
        for name in self.names:
            own = self._by_source.get(name, [])  # tensors: reading them here would wait for the device
            measured[f"loss of {name}"] = (torch.stack(own).sum() if own else 0.0, float(len(own)))
        counts = {
            "conversations": len(made),
            "tokens": sum(len(each.said.ids) for each in made),
            "pictures": sum(each.num_pictures for each in made),
            "masks": sum(each.objects.masks.shape[:2].numel() for each in made if each.objects is not None),
        }
        return BatchNote(ids=[f"{each.source}/{each.id}" for each in made], counts=counts, measured=measured)

    def losses(self, batch: Loaded, number: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - what is drawn goes by conversations
        """The weighted terms, each the mean over the conversations of this process's batch: text, mask, dice."""
        hush_frozen(self.model, self.settings.model)
        self._by_source = {}
        found: dict[str, list[Tensor]] = {term: [] for term in TERMS}
        for each in batch.conversations:
            seed_batch(self.settings.seed, each.number, rank=0)  # dropout that does not depend on how many processes there are
            losses = sample_losses(
                self.model,
                each.said,
                each.media,
                each.objects,
                mode=self.settings.mode.mode,
                weights=self.settings.losses.masks,
                key=(self.settings.seed, each.number),
            )
            own = (losses.text * self.settings.losses.text, losses.masks.mask, losses.masks.dice)
            for term, loss in zip(TERMS, own, strict=True):
                found[term].append(loss)
            self._by_source.setdefault(each.source, []).append(torch.stack([loss.detach().float() for loss in own]).sum())
        if not batch.conversations:
            return _nothing(self.model)
        return {term: torch.stack(losses).mean() for term, losses in found.items()}

    def evaluate(self, step: int) -> Mapping[str, float]:
        """The metrics of every held-out task set, by `HeldOut.ask`."""
        assert self.held is not None, "settings switch evaluation off without task sets"
        return self.held.ask(self.plain().eval(), step)

    def plain(self) -> Sa2Va:
        """The model with LoRA in its weights."""
        return plain_model(self.model, dtype=getattr(torch, self.settings.model.dtype))


def _moved(each: Ready, device: torch.device) -> Ready:
    if each.objects is None:
        return each
    return replace(each, objects=replace(each.objects, images=each.objects.images.to(device)))


def _nothing(model: nn.Module) -> dict[str, Tensor]:
    """Losses of 0 that reach every trained parameter: every process takes part when gradients are averaged."""
    none = torch.stack([parameter.sum() * 0 for parameter in model.parameters() if parameter.requires_grad]).sum()
    return dict.fromkeys(TERMS, none)
