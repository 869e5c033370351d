"""A vision-language model as a `Trainable`: planned batches, the loss on supervised tokens, answers on held-out data.

Which samples an update has follows from the plan alone; what is drawn while it is computed (dropout) from the seed, the batch's
number and the rank. So the state is the model, the optimiser and the step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.train.sharding import is_divided, is_shared
from sightline.train.trainable import BatchNote, Processes
from sightline.train.vlm.building import chosen_isolation, load_model
from sightline.train.vlm.collate import Batch, Collator
from sightline.train.vlm.evaluation import Held
from sightline.train.vlm.kept_features import features_of
from sightline.train.vlm.loading import Batches, Loaded, load_batches
from sightline.train.vlm.loss import batch_loss
from sightline.train.vlm.pack import Isolation
from sightline.train.vlm.parts import ParameterGroup, parameter_groups
from sightline.train.vlm.prefix import check_sharing
from sightline.train.vlm.prepare import Prepared
from sightline.train.vlm.settings import VlmSettings
from sightline.train.vlm.shared_images import SHARING
from sightline.types import LedgerEntry

OWN_DIVIDED: dict[str, frozenset[str]] = {"fsdp2": frozenset({"roborefer"})}
"""Architectures of ours that use the same layers in every batch, by the strategies for which the tests show it."""


class VlmTraining:
    """A checkpoint with what it is trained on.

    Args:
        prepared: by `prepare.prepare` of the same settings.
        held: what it is asked while it trains; None: nothing.
        on_skip: called with each sample that is left out (`data.on_missing=skip`).

    Raises:
        InputError: the checkpoint's weights are not whole, its family may not be packed, or its parts cannot be set so.
    """

    def __init__(
        self,
        settings: VlmSettings,
        prepared: Prepared,
        *,
        held: Held | None = None,
        on_skip: Callable[[LedgerEntry], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.prepared = prepared
        self.held = held
        self.on_skip = on_skip
        self.on_batch: Callable[[Loaded], None] = lambda _: None  # called with each batch of this process before its step
        self.isolation: Isolation = chosen_isolation(settings)
        self.model = load_model(Path(settings.model.path), settings)
        features = features_of(settings, prepared.chat)
        data = settings.data
        self._collator = Collator(
            prepared.chat, self.model.config, shared=data.shared_images, features=features, shared_prefix=data.pack_by == "prefix"
        )
        if data.pack_by == "prefix":
            check_sharing(self.model.config.model_type, self.isolation)
        self.sources = tuple(source.name for source in prepared.training.sources)
        self._by_source: Tensor = torch.zeros(len(self.sources))

    @property
    def module(self) -> nn.Module:
        """The whole model, frozen parts included."""
        return self.model

    def parameter_groups(self) -> list[ParameterGroup]:
        """By part, with and without weight decay."""
        rates = self.settings.rates
        return parameter_groups(self.model, self.settings.model.parts.named(), lr=rates.lr, weight_decay=rates.weight_decay)

    def batches(self, numbers: range, processes: Processes) -> Iterator[Loaded]:
        """This process's rows of each batch."""
        data = self.settings.data
        batches = Batches(
            self.prepared.training,
            self._collator,
            processes,
            accumulate=self.settings.trainer.accumulate,
            per=self.settings.loss_per,
        )
        for loaded in load_batches(batches, numbers, num_workers=data.num_workers, on_missing=data.on_missing):
            for entry in loaded.skipped:
                self.on_skip(entry)
            self.on_batch(loaded)
            yield loaded

    def to_device(self, batch: Loaded, device: torch.device) -> Loaded:
        """The batch's tensors on a device."""
        return batch if batch.batch is None else replace(batch, batch=batch.batch.to(device))

    def note(self, batch: Loaded) -> BatchNote:
        """The samples by source and id; samples, tokens and supervised tokens for rates; loss by source, padding and stage."""
        if batch.batch is None:
            nothing = {f"loss of {name}": (0.0, 0.0) for name in self.sources}
            kept = {"padding": (0.0, 0.0), "stage": (float(batch.stage), 1.0)}
            return BatchNote(ids=(), counts=dict.fromkeys(("samples", "tokens", "supervised"), 0), measured=nothing | kept)
        made = batch.batch
        supervised = _per_source(made, self.sources)
        measured: dict[str, tuple[float | Tensor, float]] = {
            f"loss of {name}": (total, float(count))  # a tensor: reading it here would wait for the device
            for name, total, count in zip(self.sources, self._by_source, supervised, strict=True)
        }
        measured["padding"] = (made.input_ids.numel() - sum(made.num_tokens), float(made.input_ids.numel()))
        measured["stage"] = (float(batch.stage), 1.0)
        return BatchNote(
            ids=[f"{source}/{name}" for source, name in zip(made.sources, made.ids, strict=True)],
            counts={"samples": len(made.ids), "tokens": sum(made.num_tokens), "supervised": sum(made.num_supervised)},
            measured=measured,
        )

    def losses(self, batch: Loaded, number: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - what is drawn is seeded by the loop
        """The mean over the supervised tokens or samples of the whole update, as far as they are in this batch."""
        if batch.batch is None and not is_shared(self.model):
            return {"answer": _nothing(self.model)}
        made = batch.batch or self._collator.blank().to(next(self.model.parameters()).device)
        self._by_source = torch.zeros(len(self.sources))

        def keep(each: Tensor) -> None:
            place = torch.tensor([self.sources.index(source) for source in made.sources])
            of_token = place.repeat_interleave(torch.tensor(made.num_supervised)).to(each.device)
            self._by_source = torch.zeros(len(self.sources), device=each.device).index_add(0, of_token, each)

        return {"answer": batch_loss(self.model, made, norm=batch.norm, isolation=self.isolation, on_tokens=keep)}

    def evaluate(self, step: int) -> Mapping[str, float]:
        """The metrics of every held-out task set, by `Held.ask`."""
        assert self.held is not None, "settings switch evaluation off without task sets"
        return self.held.ask(self.model, step, isolation=self.isolation)

    def units(self) -> list[nn.Module]:
        """The layers of the language model and of the vision tower, as transformers names them.

        Raises:
            InputError: a family whose vision tower is not used in every batch, or weights in four bits.
        """
        family, strategy = self.model.config.model_type, self.settings.trainer.strategy
        divided = SHARING | OWN_DIVIDED.get(strategy, frozenset())
        if family not in divided or self.settings.model.four_bits:
            what = "weights in four bits" if family in divided else family
            raise InputError(
                f"trainer.strategy={strategy} is not for {what}: all processes must use the same layers in "
                f"every batch. Families that do: {', '.join(sorted(divided))}, without model.four_bits. Use trainer.strategy=ddp."
            )
        layers = set(self.model._no_split_modules or ())
        return [module for module in self.model.modules() if type(module).__name__ in layers]

    def evaluate_whole(self, step: int, weights: Mapping[str, Tensor], device: torch.device) -> Mapping[str, float]:
        """`evaluate` by a copy of the model with these weights; it needs room for the whole model on rank 0."""
        assert self.held is not None, "settings switch evaluation off without task sets"
        return self.held.ask(self.undivided(weights).to(device).eval(), step, isolation=self.isolation)

    def undivided(self, weights: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 - any of transformers' models
        """The model with these weights as one process holds it, on the CPU."""
        model = load_model(Path(self.settings.model.path), self.settings) if is_divided(self.model) else self.model
        model.load_state_dict(weights)
        return model


def _per_source(batch: Batch, sources: tuple[str, ...]) -> list[int]:
    counts = dict.fromkeys(sources, 0)
    for source, count in zip(batch.sources, batch.num_supervised, strict=True):
        counts[source] += count
    return list(counts.values())


def _nothing(model: Any) -> Tensor:  # noqa: ANN401
    """A loss of 0 that reaches every trained parameter: every process takes part when gradients are averaged."""
    return torch.stack([parameter.sum() * 0 for parameter in model.parameters() if parameter.requires_grad]).sum()
