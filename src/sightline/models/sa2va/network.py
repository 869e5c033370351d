"""A whole Sa2VA: a language model that sees, and the grounding path. Questions in, texts and `[SEG]` states out."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from sightline.errors import InputError
from sightline.models.sa2va.conversation import SEG, starts_with_token, token_id
from sightline.models.sa2va.family import Family, Media
from sightline.models.sa2va.grounding import Grounding


@dataclass(frozen=True)
class Heard:
    """One answer. `ids` are its tokens, `text` these without the end; `cut`: the limit ended it. `states`: (S, D), one row a
    `[SEG]` in their order; a `[SEG]` that is the very last token has none."""

    text: str
    ids: tuple[int, ...]
    cut: bool
    states: Tensor


@dataclass(frozen=True)
class Reading:
    """What the language model makes of tokens (1, L): logits (1, L, V), and the states (1, L, D) that are projected."""

    logits: Tensor
    states: Tensor


class Sa2Va(nn.Module):
    """The parts, with the tokenizer and the family that say how to ask.

    Args:
        language: transformers' model of the family.
    """

    def __init__(self, language: nn.Module, grounding: Grounding, family: Family, tokenizer: Any) -> None:  # noqa: ANN401
        super().__init__()
        self.language: Any = language
        self.grounding = grounding
        self.family = family
        self.tokenizer = tokenizer
        self.seg_id = token_id(tokenizer, SEG, where=f"Sa2VA on {family.name}")
        ends = (tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.convert_tokens_to_ids("<|end|>"))
        self._ends = frozenset(end for end in ends if end is not None and end != tokenizer.unk_token_id)

    def read(self, ids: Tensor, media: Media, **options: Any) -> Reading:  # noqa: ANN401 - of transformers' forward
        """Tokens (1, L) with their media, in one pass; gradients flow. In training, labels are for the caller."""
        with self._states() as rows:
            found = self.language(input_ids=ids, **self._given(media), **self.family.extras(ids), **options)
        return Reading(logits=found.logits, states=rows[0])

    @torch.no_grad()
    def answers(self, media: Media, texts: Sequence[str], *, max_new_tokens: int) -> list[Heard]:
        """The answer to each of several questions about the same media, by the likeliest token each time.

        What the prompts begin with alike, media and all, is read once for all of them.

        Args:
            texts: with `<image>` where the media stand.

        Raises:
            InputError: a text that holds the model's own media token, or a prompt that is too long.
        """
        for text in texts:
            if self.family.media_token in text:
                raise InputError(f"the words {text[:80]!r} hold {self.family.media_token!r}, the media token. Change the wording.")
        prompts = [self._ids(self.family.question(text, media)) for text in texts]
        alike = _alike(prompts)
        media_id = token_id(self.tokenizer, self.family.media_token, where=self.family.name)
        if any(media_id in prompt[alike:] for prompt in prompts):
            return [heard for text in texts for heard in self.answers(media, [text], max_new_tokens=max_new_tokens)]
        self.family.forget(self.language)
        cache = DynamicCache(config=self.language.config.get_text_config())
        beginning = torch.tensor([prompts[0][:alike]], device=self.language.device)
        with self._states() as rows:
            self.language(
                input_ids=beginning,
                **self._given(media),
                **self.family.extras(beginning),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        found = []
        for prompt in prompts:
            if more := cache.get_seq_length() - alike:
                cache.crop(-more)
            found.append(self._go_on(prompt, cache, rows[0][0], most=max_new_tokens))
        return found

    def _go_on(self, prompt: Sequence[int], cache: DynamicCache, begun: Tensor, *, most: int) -> Heard:
        """The answer to a prompt whose beginning is in the cache, `begun` being its states."""
        said: list[int] = []
        unread = list(prompt[len(begun) :])
        with self._states() as rows:
            while len(said) < most and not (said and said[-1] in self._ends):
                found = self.language(
                    input_ids=torch.tensor([unread], device=begun.device), past_key_values=cache, use_cache=True, logits_to_keep=1
                )
                unread = [int(found.logits[0, -1].argmax())]
                said += unread
        states = torch.cat([begun, *(row[0] for row in rows)])  # of all tokens but the last one said
        ids = torch.tensor([*prompt, *said[:-1]], device=states.device)
        wanted = ids == self.seg_id
        if not self.family.searches_prompt:
            wanted[: len(prompt)] = False
        cut = not (said and said[-1] in self._ends)
        text = self.tokenizer.decode(said if cut else said[:-1], skip_special_tokens=False)
        return Heard(text=text, ids=tuple(said), cut=cut, states=states[wanted])

    def _ids(self, prompt: str) -> list[int]:
        start = [self.tokenizer.bos_token_id] if starts_with_token(self.tokenizer) else []
        ids = start + self.tokenizer.encode(prompt, add_special_tokens=False)
        room = self.language.config.get_text_config().max_position_embeddings
        if len(ids) >= room:
            raise InputError(f"a prompt of {len(ids):,} tokens; this model has room for {room:,}. Show fewer pictures or frames.")
        return ids

    def _given(self, media: Media) -> dict[str, Tensor]:
        device, dtype = self.language.device, self.language.dtype
        return {
            name: tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)
            for name, tensor in media.tensors.items()
        }

    @contextlib.contextmanager
    def _states(self) -> Iterator[list[Tensor]]:
        """The states of the tokens that pass in the meantime, (1, L, D) a pass."""
        rows: list[Tensor] = []

        def keep(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            rows.append(output if self.family.normalised else args[0])

        handle = self.family.final_norm(self.language).register_forward_hook(keep)
        try:
            yield rows
        finally:
            handle.remove()


def _alike(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with alike, at least one being left of each."""
    shortest = min(len(prompt) for prompt in prompts) - 1
    return next((place for place in range(shortest) if len({prompt[place] for prompt in prompts}) > 1), shortest)
