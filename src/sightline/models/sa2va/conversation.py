"""Turns of a conversation as Sa2VA's language models read them, and which of their tokens carry loss.

    <|im_start|>user\\n<img>...</img>\\nPlease segment the dog.<|im_end|>\\n<|im_start|>assistant\\nSure, [SEG].<|im_end|>\\n

The template is the one that the checkpoint's config.json names (`template`), not the tokenizer's; it has no system turn. Answer
and turn end are supervised in every turn; the asking side, its media, the template's words and the newline behind a turn are not.
Labels come from rendering piece by piece, never from searching ids. Unlike the published code, nothing is cut off at a length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sightline.errors import InputError, unknown_name

SEG = "[SEG]"
NEW_TOKENS = (SEG, "<p>", "</p>", "<vp>", "</vp>")
"""Added as special tokens, in this order."""
MEDIUM = "<image>"
"""Where a picture stands in a text."""
IGNORED = -100


@dataclass(frozen=True)
class Template:
    """What stands around the two sides of a turn: `ask` with the text put in for {text}, and `end` behind an answer."""

    ask: str
    end: str
    gap: str = "\n"

    def opened(self, text: str) -> str:
        return self.ask.replace("{text}", text)


_CHATML = Template(ask="<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n", end="<|im_end|>")
TEMPLATES: dict[str, Template] = {
    "qwen_chat": _CHATML,
    "internlm2_chat": _CHATML,
    "phi3_chat": Template(ask="<|user|>\n{text}<|end|>\n<|assistant|>\n", end="<|end|>"),
}


@dataclass(frozen=True)
class Turn:
    """A question, `MEDIUM` in its text where the picture stands, and its answer."""

    text: str
    answer: str


@dataclass(frozen=True)
class Labelled:
    """Token ids and, for each, what is to be said there: its own id, or `IGNORED`."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]


def get_template(name: str) -> Template:
    """The template of that name; a dash in it is as good as an underscore, as published.

    Raises:
        InputError: no such template.
    """
    if (known := name.replace("-", "_")) not in TEMPLATES:
        raise unknown_name("Sa2VA chat template", name, TEMPLATES)
    return TEMPLATES[known]


def with_media(text: str, slots: str, *, video: bool = False) -> str:
    """`text` with the media in place of `MEDIUM`; a training video's stand in front, wherever that is.

    Raises:
        InputError: there is a picture and no one place for it, or a place and nothing to show.
    """
    if video:
        return slots + text.replace(MEDIUM, "")
    places = text.count(MEDIUM)
    if places != (1 if slots else 0):
        raise InputError(f"{places} places for a picture ({MEDIUM}) in {text[:80]!r}; expected {1 if slots else 0}.")
    return text.replace(MEDIUM, slots)


def labelled(turns: Sequence[Turn], template: Template, tokenizer: Any) -> Labelled:  # noqa: ANN401 - transformers'
    """The conversation in tokens, media put in already. A tokenizer with a beginning token gets it once, at the start."""
    ids: list[int] = [tokenizer.bos_token_id] if starts_with_token(tokenizer) else []
    labels = [IGNORED] * len(ids)
    for turn in turns:
        for piece, said in ((template.opened(turn.text), False), (turn.answer + template.end, True), (template.gap, False)):
            own = tokenizer.encode(piece, add_special_tokens=False)
            ids += own
            labels += own if said else [IGNORED] * len(own)
    return Labelled(tuple(ids), tuple(labels))


def asked(text: str, template: Template, tokenizer: Any) -> list[int]:  # noqa: ANN401 - transformers'
    """One question in tokens, as far as where the answer begins."""
    start = [tokenizer.bos_token_id] if starts_with_token(tokenizer) else []
    return start + tokenizer.encode(template.opened(text), add_special_tokens=False)


def starts_with_token(tokenizer: Any) -> bool:  # noqa: ANN401 - transformers'
    """Whether texts begin with a token of their own (not with Qwen's tokenizers)."""
    own = tokenizer.bos_token_id
    return own is not None and tokenizer("")["input_ids"][:1] == [own]


def token_id(tokenizer: Any, token: str, *, where: str) -> int:  # noqa: ANN401 - transformers'
    """The id of a special token.

    Raises:
        InputError: the tokenizer does not have it.
    """
    found = tokenizer.convert_tokens_to_ids(token)
    if found is None or found == tokenizer.unk_token_id:
        raise InputError(f"{where}: its tokenizer has no {token!r}. Copy the tokenizer's files of the Sa2VA checkpoint there.")
    return found
