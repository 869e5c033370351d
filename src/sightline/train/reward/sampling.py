"""Answers drawn from the model that is trained, each with random numbers of its own.

Token t of answer i to the question at place p of round k is where the t-th number of the stream (seed, k, p, i) falls among the
cumulated probabilities. So an answer does not depend on what is drawn beside it, on the process, or on what was drawn before; it is
kept as token ids, because its text may be tokenised otherwise.

Tokens that stand for media are never drawn, nor are entries of the vocabulary that the tokenizer does not have: what such an answer
would be trained on is not what was said. The loss leaves them out of its probabilities as well (`allowed_tokens`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from sightline.errors import InputError
from sightline.models.architectures import GivesTensors, TrainedCheckpoint
from sightline.train.reward.prompts import Prompt, folders
from sightline.train.reward.settings import RewardSettings
from sightline.train.vlm.films import TakesFilms
from sightline.types import Question

MEDIA_TOKENS = ("image_token_id", "video_token_id", "depth_token_id", "vision_start_token_id", "vision_end_token_id")


@dataclass(frozen=True)
class Drawn:
    """One answer: its tokens with the end token where it has one, and its text without. `cut`: `max_new_tokens` ended it.

    `asked` are the tokens of the question as the model was given them, pictures expanded.
    """

    tokens: tuple[int, ...]
    text: str
    cut: bool
    asked: tuple[int, ...]


@runtime_checkable
class Sampler(Protocol):
    """What draws answers; a family that `generate` cannot draw from brings its own."""

    def draw(self, model: Any, prompts: Sequence[Prompt], round_index: int) -> list[list[Drawn]]:  # noqa: ANN401
        """A group of answers to each question."""
        ...

    def restore(self, tokens: Sequence[int], asked: tuple[int, ...]) -> Drawn:
        """An answer that was kept as its tokens."""
        ...


class TokenSampler:
    """Draws with transformers' own `generate`, from what a checkpoint makes of its questions (`architectures.GivesTensors`).

    Raises:
        InputError: an architecture that does not say what it makes of them, or takes whole clips.
    """

    def __init__(self, settings: RewardSettings, checkpoint: TrainedCheckpoint) -> None:
        if not isinstance(checkpoint, GivesTensors) or isinstance(checkpoint.processor, TakesFilms):
            raise InputError(
                f"{checkpoint.path}: a {checkpoint.config.model_type} cannot be trained by rewards yet: how answers are drawn from "
                "it is not known here. Use a RoboRefer or a checkpoint of transformers' own families, or `sightline train vlm`."
            )
        self.settings = settings
        self.checkpoint = checkpoint
        self._tokenizer = checkpoint.processor.tokenizer
        self._ends = checkpoint.end_tokens()

    def draw(self, model: Any, prompts: Sequence[Prompt], round_index: int) -> list[list[Drawn]]:  # noqa: ANN401
        """A group of answers to each question, by the model as it stands, in eval mode and without gradients.

        Raises:
            FileNotFoundError, InputError: a picture cannot be read, or a question is too long for the model.
        """
        found: dict[int, list[Drawn]] = {}
        step = self.settings.sampling.batch_size
        with _drawing(model):
            for own in folders(prompts).values():
                for first in range(0, len(own), step):
                    some = own[first : first + step]
                    groups = self._generate(model, some, round_index)
                    found |= {prompt.place: group for prompt, group in zip(some, groups, strict=True)}
        return [found[prompt.place] for prompt in prompts]

    def restore(self, tokens: Sequence[int], asked: tuple[int, ...]) -> Drawn:
        """An answer that was kept as its tokens."""
        cut = tokens[-1] not in self._ends
        text = self._text(tokens if cut else tokens[:-1])
        return Drawn(tuple(tokens), text, cut=cut, asked=asked)

    def _generate(self, model: Any, prompts: Sequence[Prompt], round_index: int) -> list[list[Drawn]]:  # noqa: ANN401
        size = self.settings.sampling.group_size
        questions: list[Question] = [prompt.example.question for prompt in prompts]
        longest = self.settings.sampling.max_new_tokens
        tensors = self.checkpoint.question_tensors(questions, prompts[0].taskset, longest_answer=longest)
        tensors = tensors.to(model.device, dtype=model.dtype)
        asked = [ids[mask.bool()].tolist() for ids, mask in zip(tensors["input_ids"], tensors["attention_mask"], strict=True)]
        chosen = Chosen(
            self._numbers(prompts, round_index),
            allowed_tokens(model, self._tokenizer),
            temperature=self.settings.sampling.temperature,
            prompt_length=tensors["input_ids"].shape[1],
        )
        tokens = model.generate(
            **tensors, generation_config=self._generation(), logits_processor=LogitsProcessorList([chosen])
        )  # (B * size, prompt + new)
        rows = tokens[:, tensors["input_ids"].shape[1] :].tolist()
        said = [self._said(row, tuple(asked[index // size])) for index, row in enumerate(rows)]
        return [said[first : first + size] for first in range(0, len(said), size)]

    def _numbers(self, prompts: Sequence[Prompt], round_index: int) -> Float[np.ndarray, "rows tokens"]:
        own = self.settings.sampling
        rows = [
            uniform_numbers(self.settings.seed, round_index, prompt.place, answer, count=own.max_new_tokens)
            for prompt in prompts
            for answer in range(own.group_size)
        ]
        return np.stack(rows)

    def _generation(self) -> GenerationConfig:
        return GenerationConfig(
            max_new_tokens=self.settings.sampling.max_new_tokens,
            num_return_sequences=self.settings.sampling.group_size,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=sorted(self._ends) or None,
        )

    def _said(self, row: list[int], asked: tuple[int, ...]) -> Drawn:
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        return self.restore(row if end is None else row[: end + 1], asked)

    def _text(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)


class Chosen(LogitsProcessor):
    """Leaves of each row's logits the one token that its next random number falls on.

    Args:
        numbers: uniform on [0, 1), a row an answer, a column a token.
        allowed: (vocabulary,) bool, the tokens that may be drawn.
        prompt_length: tokens before the first that is drawn.
    """

    def __init__(
        self, numbers: Float[np.ndarray, "rows tokens"], allowed: Tensor, *, temperature: float, prompt_length: int
    ) -> None:
        self.numbers = torch.from_numpy(numbers)
        self.allowed = allowed
        self.temperature = temperature
        self.prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """From logits (rows, vocabulary) to 0 for the chosen token and minus infinity for all others."""
        logits = (scores.float() / self.temperature).masked_fill(~self.allowed.to(scores.device), -torch.inf)
        upto = logits.softmax(dim=-1).double().cumsum(dim=-1)  # (rows, vocabulary)
        number = self.numbers[:, input_ids.shape[1] - self.prompt_length].to(scores.device)[:, None]
        token = torch.searchsorted(upto, number * upto[:, -1:], right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(-1, token, 0.0)


def uniform_numbers(seed: int, round_index: int, place: int, answer: int, *, count: int) -> Float[np.ndarray, " count"]:
    """The numbers on [0, 1) by which one answer's tokens are drawn."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, round_index, place, answer)))).random(count)


def allowed_tokens(model: Any, tokenizer: Any) -> Tensor:  # noqa: ANN401 - transformers'
    """(vocabulary,) bool: what an answer may be made of, on the model's device."""
    allowed = torch.arange(model.lm_head.weight.shape[0], device=model.device) < len(tokenizer)
    config = model.config
    media = [getattr(config, name, None) for name in MEDIA_TOKENS]
    for token in media:
        if isinstance(token, int) and token < allowed.numel():
            allowed[token] = False
    return allowed


@contextmanager
def _drawing(model: Any) -> Iterator[None]:  # noqa: ANN401
    """Without gradients, dropout, recomputation, and the checkpoint's own generation settings: a penalty in them would draw by
    other probabilities than the loss has. Every module is left in the mode it was in, and torch's random numbers too."""
    modes = [(module, module.training) for module in model.modules()]
    declared = model.generation_config
    model.generation_config = GenerationConfig()
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        for module, training in modes:
            module.training = training
        model.generation_config = declared
