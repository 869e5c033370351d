"""Tiny models with samples of one to three pictures, for tests of batches, packs and losses."""

import copy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

from sightline.models.options import ModelOptions
from sightline.train.vlm.chat import Chat, open_chat
from sightline.train.vlm.collate import Batch, Collator
from sightline.train.vlm.loss import Norm, batch_loss, units
from sightline.train.vlm.pack import Isolation, isolate
from sightline.train.vlm.samples import MediaRef, Sample, Slot, Turn
from tests.models.huggingface.checkpoints import WEIGHTS_STD, WORDS_STD

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "internvl", "llava")
SIZES = ((160, 120), (120, 160), (112, 112))


@dataclass(frozen=True, eq=False)
class Tiny:
    """A model with what makes batches for it."""

    model: Any
    chat: Chat

    def collate(self, *rows: list[Sample], shared: bool = True) -> Batch:
        return Collator(self.chat, self.model.config, shared=shared)(rows)

    def loss(
        self, batch: Batch, *, isolation: Isolation, norm: Norm, whole_head: bool = False
    ) -> tuple[float, dict[str, torch.Tensor]]:
        """Loss and gradients by parameter, those that are None too."""
        isolate(self.model, isolation)
        self.model.zero_grad(set_to_none=True)
        loss = batch_loss(self.model, batch, norm=norm, isolation=isolation, whole_head=whole_head)
        loss.backward()
        return loss.item(), {name: one.grad.clone() for name, one in self.model.named_parameters() if one.grad is not None}


@cache
def tiny(folder: Path) -> Tiny:
    model: Any = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    return Tiny(model.eval(), open_chat(folder, ModelOptions()))


@cache
def with_text(small: Tiny, kind: str) -> Tiny:
    """The same with a language model of another kind, of random weights."""
    config = copy.deepcopy(small.model.config)
    sizes = config.text_config.to_dict()
    sizes.pop("model_type")
    config.text_config = transformers.AutoConfig.for_model(kind, **sizes | {"head_dim": 16})
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, WORDS_STD if "embed_tokens" in name else WEIGHTS_STD)
    return Tiny(model.eval(), small.chat)


def picture(folder: Path, seed: int) -> MediaRef:
    path = folder / f"{seed}.png"
    width, height = SIZES[seed % len(SIZES)]
    if not path.exists():
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return MediaRef(path)


def sample(name: str, pictures: tuple[MediaRef, ...], words: str = "Where?", answer: str = "[(0.5, 0.25)]") -> Sample:
    slots = tuple(Slot("image", index) for index in range(len(pictures)))
    return Sample(name, "test", (Turn("user", (*slots, words)), Turn("assistant", (answer,))), images=pictures)


def four(folder: Path) -> list[Sample]:
    """Samples of different length with two, no, three and one picture; pictures 1 and 2 come several times."""
    one, two, three = (picture(folder, seed) for seed in (1, 2, 3))
    return [
        sample("a", (one, two)),
        sample("b", (), words="How many rooms? Count them well.", answer="3"),
        sample("c", (two, one, three), words="Which of these?", answer="the second one"),
        sample("d", (one,), answer="NOT_VISIBLE"),
    ]


def whole(batch: Batch, per: str = "token") -> Norm:
    """The norm of a step of this batch alone."""
    norm = Norm("token" if per == "token" else "sample", 1)
    return replace(norm, total=units(batch.num_supervised, norm.per))


def worst(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> tuple[float, str]:
    """The largest difference of two sets of gradients, each measured by the larger of its parameter's largest gradient and 1e-3."""
    assert ours.keys() == theirs.keys()
    return max((((ours[n] - theirs[n]).abs().max() / theirs[n].abs().max().clamp_min(1e-3)).item(), n) for n in ours)
