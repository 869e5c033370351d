"""A conversation as token ids, and which of them the model is to write.

    consistent   each answer and the end token after it are written, nothing else. What stands before an answer is tokenised alone,
                 so that the model is trained on exactly the tokens it is later asked with
    published, training   one tokenisation of the whole text. Written is what is left over when the text with every answer replaced
                 by a sentinel is taken out of it, token by token; so a newline alone in an answer is taken for the template's, and
                 the newline after its end token is written in its place. Kept for parity

The text is what the tokenizer's own chat template makes of the messages. Source of the second rule: NVlabs/VILA, llava/data/utils.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from sightline.errors import InputError
from sightline.models.roborefer.text_forms import SENTINEL, Form, Turn

IGNORED = -100
END = "<|im_end|>"


@dataclass(frozen=True)
class Tokens:
    """`labels[i]` is `ids[i]` where token i is to be written by the model, else -100. One placeholder is one token here."""

    text: str
    ids: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]


def tokenised(tokenizer: Any, turns: Sequence[Turn], contents: Sequence[str], *, form: Form, where: str) -> Tokens:  # noqa: ANN401
    """A conversation of which the last answer is there (training) or is asked for.

    Args:
        contents: what stands in each turn (`text_forms.contents`).
        where: the sample, for messages.

    Raises:
        InputError: the chat template changes answers or earlier turns, so that it is not known what is to be written.
    """
    messages = [{"role": turn.role, "content": content} for turn, content in zip(turns, contents, strict=True)]
    asked = turns[-1].role == "user"
    text = _render(tokenizer, messages, asked=asked)
    if form == "consistent":
        return _in_pieces(tokenizer, messages, text, where)
    ids = _ids(tokenizer, text)
    return Tokens(text, ids, np.full_like(ids, IGNORED) if asked else _left_over(tokenizer, messages, ids))


def _render(tokenizer: Any, messages: Sequence[dict[str, str]], *, asked: bool) -> str:  # noqa: ANN401
    return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=asked)


def _ids(tokenizer: Any, text: str) -> Int64[np.ndarray, " n"]:  # noqa: ANN401
    return np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"], np.int64)


def _in_pieces(tokenizer: Any, messages: Sequence[dict[str, str]], text: str, where: str) -> Tokens:  # noqa: ANN401
    ids: list[Int64[np.ndarray, " n"]] = []
    labels: list[Int64[np.ndarray, " n"]] = []

    def add(piece: str, *, written: bool) -> None:
        made = _ids(tokenizer, piece)
        ids.append(made)
        labels.append(made if written else np.full_like(made, IGNORED))

    done = 0
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            before, answer = _render(tokenizer, messages[:index], asked=True), message["content"] + END
            if not text.startswith(before + answer):
                raise InputError(
                    f"{where}: the checkpoint's chat template changes answer {index // 2 + 1}, or what stands before it. Expected "
                    f"the template of RoboRefer, which writes an answer as it is and {END} after it."
                )
            add(text[done : len(before)], written=False)
            add(answer, written=True)
            done = len(before) + len(answer)
    add(text[done:], written=False)
    return Tokens(text, np.concatenate(ids), np.concatenate(labels))


def _left_over(tokenizer: Any, messages: Sequence[dict[str, str]], ids: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:  # noqa: ANN401
    hidden = [message | {"content": SENTINEL} if message["role"] == "assistant" else message for message in messages]
    template = _ids(tokenizer, _render(tokenizer, hidden, asked=False))
    places = np.flatnonzero(template == tokenizer.convert_tokens_to_ids(SENTINEL))
    for first in (0, -1):  # a tokenizer may put an empty token before the sentinel: the second try takes it out too
        gone = np.concatenate([places + offset for offset in range(first, 2)]) if places.size else places
        labels = _without(np.delete(template, gone[gone < template.size]), ids)
        if labels is not None:
            return labels
    return np.full_like(ids, IGNORED)


def _without(template: Int64[np.ndarray, " m"], ids: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"] | None:
    """The ids that are not the template's, the earliest that fit taken for it; None if the template does not go into them."""
    labels = np.full_like(ids, IGNORED)
    next_of_template = 0
    for index, token in enumerate(ids.tolist()):
        if next_of_template < template.size and token == template[next_of_template]:
            next_of_template += 1
        else:
            labels[index] = token
    return labels if next_of_template == template.size else None
