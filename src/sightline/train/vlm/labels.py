"""A conversation as token ids, with a label for each token that the model is to write, and where its pictures stand.

The text is what the checkpoint's own chat template makes of the whole conversation, tokenised as its processor does. What is
supervised follows from rendering, not from looking for tokens: up to an assistant's turn the conversation is rendered once with the
generation prompt (what the model is given), once with the answer; what the second has more is that turn. Of it the answer and the
end-of-turn token are supervised, or all of it where the template writes no end token. A last turn without an end token gets the
tokenizer's: without, a model would never learn to stop.

A template that writes earlier turns otherwise once later ones are there, or changes answers, is refused: what it is trained on
would not be what it is asked with.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from sightline.errors import InputError
from sightline.train.vlm.depth import depth_taker
from sightline.train.vlm.films import TakesFilms
from sightline.train.vlm.frames import Film, Layout, Picture
from sightline.train.vlm.media_tokens import MediaRule
from sightline.train.vlm.samples import Slot, Turn

IGNORED = -100


@dataclass(frozen=True)
class Labelled:
    """`labels[i]` is `ids[i]` where token i is to be written by the model, else -100. Row j of `slots` is where picture j's tokens
    start, and how many there are."""

    ids: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    slots: Int64[np.ndarray, "m 2"]


@dataclass(frozen=True)
class _Span:
    """An assistant's turn in the rendered text, by characters: from `start`, its answer up to `said`, all of it up to `end`."""

    start: int
    said: int
    end: int


@dataclass(frozen=True)
class _Plain:
    """A conversation with one token a picture."""

    ids: Int64[np.ndarray, " n"]
    supervised: Bool[np.ndarray, " n"]
    slots: Int64[np.ndarray, " m"]


class Labeller:
    """Renders conversations for one processor. `where` names its checkpoint in messages, `ends` are the end tokens that stop it.

    Raises:
        InputError: the processor has no chat template.
    """

    def __init__(self, processor: Any, rule: MediaRule, *, ends: frozenset[int], where: str) -> None:  # noqa: ANN401 - transformers'
        if processor.chat_template is None:
            raise InputError(f"{where}: no chat template, so it is not known how a conversation is written. Train a chat model.")
        self.processor = processor
        self.rule = rule
        self._ends = ends
        self._where = where
        self._slot = processor.image_token
        self._slots = (self._slot, processor.video_token) if isinstance(processor, TakesFilms) else (self._slot,)
        self._slot_ids = processor.tokenizer.convert_tokens_to_ids(list(self._slots))

    def label(self, layout: Layout) -> Labelled:
        """The whole conversation, pictures expanded.

        Raises:
            InputError: words that hold the media token, or a template that does not give every picture its slot or that rewrites
                what was said.
        """
        plain = self._tokenise(layout)
        media = [self._media(picture) for picture in layout.pictures]
        labels = np.where(plain.supervised, plain.ids, IGNORED)
        ids_parts, label_parts, slots = [], [], []
        last = length = 0
        for place, tokens in zip(plain.slots.tolist(), media, strict=True):
            ids_parts += [plain.ids[last:place], tokens]
            label_parts += [labels[last:place], np.full(tokens.size, IGNORED, np.int64)]
            length += place - last
            slots.append((length, tokens.size))
            length += tokens.size
            last = place + 1
        ids = np.concatenate([*ids_parts, plain.ids[last:]])
        return Labelled(ids, np.concatenate([*label_parts, labels[last:]]), np.array(slots, np.int64).reshape(-1, 2))

    def count(self, layout: Layout) -> tuple[int, int, int]:
        """Tokens in all, supervised ones, and those of pictures; those of `label`, without making them."""
        plain = self._tokenise(layout)
        num_media = sum(self._media(picture).size for picture in layout.pictures)
        return plain.ids.size - plain.slots.size + num_media, int(plain.supervised.sum()), num_media

    def _media(self, picture: Picture | Film) -> Int64[np.ndarray, " n"]:
        if isinstance(picture, Film):
            return self.processor.film_tokens(*picture.size, len(picture.frames))
        tokens = self.rule.tokens(*picture.size)
        if picture.depth is None:
            return tokens
        return np.concatenate([tokens, depth_taker(self.processor, where=self._where).depth_tokens(*picture.size)])

    def _tokenise(self, layout: Layout) -> _Plain:
        text, spans = self._render(layout)
        ids, starts, ends = self._encode(text, [cut for span in spans for cut in (span.start, span.end)])
        supervised = np.zeros(ids.size, bool)
        is_end = np.isin(ids, list(self._ends))
        stopped = False
        for span in spans:
            inside = (starts >= span.start) & (ends <= span.end)
            stops = np.flatnonzero(inside & is_end & (starts >= span.said))
            stopped = bool(stops.size)
            supervised |= inside & (np.arange(ids.size) <= stops[0]) if stopped else inside
        if not stopped:
            ids = np.append(ids, self.processor.tokenizer.eos_token_id)
            supervised = np.append(supervised, True)
        slots = np.flatnonzero(np.isin(ids, self._slot_ids))
        if slots.size != len(layout.pictures):
            raise InputError(
                f"{self._where}: its chat template gave {slots.size} media slots ({self._slot}) to {len(layout.pictures)} "
                "pictures. It may take only one picture."
            )
        return _Plain(ids, supervised, slots)

    def _render(self, layout: Layout) -> tuple[str, list[_Span]]:
        messages = [self._message(turn) for turn in layout.turns]
        text = self._template(messages)
        spans = []
        for index, turn in enumerate(layout.turns):
            if turn.role != "assistant":
                continue
            asked = self._template(messages[:index], ask=True)
            told = text if index == len(messages) - 1 else self._template(messages[: index + 1])
            if not (told.startswith(asked) and text.startswith(told)):
                raise InputError(
                    f"{self._where}: its chat template rewrites what stands before turn {index + 1} of a conversation once that "
                    "turn is there (thinking models drop earlier thoughts, for example): it would be trained on another text than "
                    "it is asked with. Split the conversations into single turns, or use another chat template."
                )
            spans.append(self._span(turn.text, told, len(asked)))
        return text, spans

    def _span(self, answer: str, told: str, start: int) -> _Span:
        turn = told[start:]
        wanted = answer if turn.lstrip().startswith(answer.lstrip()) else answer.rstrip()
        if not turn.lstrip().startswith(wanted.lstrip()):
            raise InputError(
                f"{self._where}: its chat template changes what the assistant says: {answer[:60]!r} becomes {turn[:60]!r}. Use "
                "another chat template, or other answers."
            )
        lead = len(turn) - len(turn.lstrip()) if wanted.strip() else 0
        return _Span(start, start + lead + len(wanted.lstrip()), len(told))

    def _message(self, turn: Turn) -> dict[str, Any]:
        for part in turn.parts:
            if isinstance(part, str) and any(slot in part for slot in self._slots):
                raise InputError(
                    f"words of the {turn.role} hold {self._slot!r}, the media token of {self._where}: they would be taken for a "
                    "picture. Change the wording."
                )
        content = [{"type": part.kind} if isinstance(part, Slot) else {"type": "text", "text": part} for part in turn.parts]
        return {"role": turn.role, "content": content}

    def _template(self, messages: list[dict[str, Any]], *, ask: bool = False) -> str:
        return self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)

    def _encode(
        self, text: str, cuts: list[int]
    ) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """Token ids with the first character of each and the one after its last. No token reaches over a cut.

        Tokens seldom do: where an answer begins with a line break, say. The text is then tokenised in pieces, as it is when the
        model is given the first piece and writes the second.
        """
        start_token = self.processor.tokenizer.bos_token
        with_start = not (start_token and text.startswith(start_token))
        ids, spans = self._pieces(text, with_start=with_start)
        crossed = [cut for cut in cuts if text[cut - 1] == " " or ((spans[:, 0] < cut) & (cut < spans[:, 1])).any()]
        if not crossed:
            return ids, spans[:, 0], spans[:, 1]
        bounds = [0, *crossed, len(text)]
        found = []
        for begin, end in pairwise(bounds):
            piece, piece_spans = self._pieces(text[begin:end], with_start=with_start and begin == 0)
            if begin and piece.size and self.processor.tokenizer.convert_ids_to_tokens(int(piece[0])).startswith("▁"):
                raise InputError(
                    f"{self._where}: {text[begin : begin + 40]!r} is not tokenised alone as it is after "
                    f"{text[max(0, begin - 40) : begin]!r}. Remove white space at the beginning of the answer."
                )
            found.append((piece, np.where(piece_spans[:, 1:] > piece_spans[:, :1], piece_spans + begin, piece_spans)))
        ids, spans = (np.concatenate(column) for column in zip(*found, strict=True))
        return ids, spans[:, 0], spans[:, 1]

    def _pieces(self, text: str, *, with_start: bool) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, "n 2"]]:
        made = self.processor.tokenizer(text, add_special_tokens=with_start, return_offsets_mapping=True)
        return np.array(made["input_ids"], np.int64), np.array(made["offset_mapping"], np.int64).reshape(-1, 2)
