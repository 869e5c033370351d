"""The words of a turn with its media placeholders, in the forms by name.

    consistent   ours, the default: the same text when it is trained and when it is asked. All media stand in front, one
                 "<image>" newline a picture, or "<image> <depth>" newline where it has depth; then, if tiled, each placeholder
                 becomes one with a newline for each tile. In dynamic mode this is what the published weights were trained on
    published    what the original code puts together when it is asked: of pictures alone no newline after the last one, and in
                 resize mode none at all
    training     what the original code puts together when it trains; resize mode has no depth there

A placeholder stands for one tile, in `dynamic_s2` for one picture. Media are told apart by their order alone, so their number is
checked against the placeholders of each sample. Every rule and its source: docs/roborefer.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sightline.errors import InputError
from sightline.models.roborefer.tiling import Mode

Form = Literal["consistent", "published", "training"]
FORMS: tuple[Form, ...] = get_args(Form)
Kind = Literal["image", "depth"]
TOKENS: dict[Kind, str] = {"image": "<image>", "depth": "<depth>"}
MEDIA_TOKENS = ("<image>", "<vila/video>", "<depth>")
SENTINEL = "<vila/sentinel>"
RESERVED = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", SENTINEL)


@dataclass(frozen=True)
class Slot:
    """The place of the next picture (`image`) or of the next depth picture (`depth`)."""

    kind: Kind


Part = str | Slot


@dataclass(frozen=True)
class Turn:
    """One message; slots stand in turns of the user."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Placeholders:
    """How many placeholders stand for each picture and each depth picture, in the order of their slots. `depth_of[j]` is the
    picture that depth picture j belongs to."""

    image: tuple[int, ...] = ()
    depth: tuple[int, ...] = ()
    depth_of: tuple[int, ...] = ()

    def of(self, kind: Kind) -> tuple[int, ...]:
        return self.image if kind == "image" else self.depth

    @property
    def paired(self) -> bool:
        """Whether there is exactly one depth picture for each picture, and at least one."""
        return bool(self.depth) and len(self.depth) == len(self.image)


def worded(parts: Sequence[str | int]) -> str:
    """The words of a turn whose media stand in front of them; a number in `parts` is the place of that picture, counted from 0.

    A picture before the first word is not spoken of; one within the words becomes "image 2", or nothing where it is the only one.
    """
    several = sum(isinstance(part, int) for part in parts) > 1
    words = ""
    for part in parts:
        if isinstance(part, str):
            words += part
        elif several and words.strip():
            words += f"image {part + 1}"
    return words.strip()


def row_turns(conversations: Sequence[tuple[str, str]], *, num_images: int, num_depths: int, mode: Mode) -> tuple[Turn, ...]:
    """The turns of a row of RoboRefer / VILA JSON: ("human" or "gpt", value) each.

    Placeholders within the words count in resize mode alone, as in the original; elsewhere, and where there are none, all media
    stand before the first turn.
    """
    kinds: dict[str, Kind] = {token: kind for kind, token in TOKENS.items()}
    split: list[list[Part]] = [
        [Slot(kinds[piece]) if piece in kinds else piece for piece in re.split("(<image>|<depth>)", value) if piece]
        for _, value in conversations
    ]
    if mode != "resize" or not any(isinstance(part, Slot) for parts in split for part in parts):
        split = [[part for part in parts if isinstance(part, str)] for parts in split]
        split[0] = [*[Slot("image")] * num_images, *[Slot("depth")] * num_depths, "".join(map(str, split[0])).lstrip()]
    return tuple(
        Turn("user" if who == "human" else "assistant", tuple(parts)) for (who, _), parts in zip(conversations, split, strict=True)
    )


def contents(turns: Sequence[Turn], placeholders: Placeholders, *, mode: Mode, form: Form, where: str) -> tuple[str, ...]:
    """What stands in each message, stripped of white space at both ends.

    Args:
        turns: the conversation; the first one is the user's.
        where: the sample, for messages.

    Raises:
        InputError: more media than slots or fewer, depth without pictures, a slot in an answer, words that hold a token of the
            chat template (in our own form also a media token), or depth in the resize mode of the training form.
    """
    _check(turns, placeholders, RESERVED + MEDIA_TOKENS if form == "consistent" else RESERVED, where)
    match form:
        case "consistent":
            words = _in_front(turns, placeholders, mode)
        case "published":
            words = _published(turns, placeholders, mode)
        case "training":
            words = _training(turns, placeholders, mode, where)
    return tuple(text.strip() for text in words)


def _check(turns: Sequence[Turn], placeholders: Placeholders, forbidden: Sequence[str], where: str) -> None:
    slots = [part.kind for turn in turns for part in turn.parts if isinstance(part, Slot)]
    for kind in TOKENS:
        given, asked = len(placeholders.of(kind)), slots.count(kind)
        if given != asked:
            raise InputError(
                f"{where}: {given} {_noun(kind, given)}, but {asked} {kind} slots in its words. Give one {kind} for each slot: the "
                "model knows them by their order alone."
            )
    if placeholders.depth and not placeholders.image:
        raise InputError(f"{where}: depth without pictures. RoboRefer takes depth beside the picture that it belongs to.")
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Slot):
                if turn.role == "assistant":
                    raise InputError(f"{where}: a media slot in an answer. Media stand in what is asked.")
            elif held := next((token for token in forbidden if token in part), None):
                raise InputError(f"{where}: its words hold {held!r}, which RoboRefer reads as a sign. Change the wording.")


def _noun(kind: Kind, number: int) -> str:
    return ("picture" if kind == "image" else "depth picture") + "s" * (number != 1)


def _expanded(kind: Kind, count: int, mode: Mode) -> str:
    return f"{TOKENS[kind]}\n" * count if mode == "dynamic" else TOKENS[kind]


def _prefix(placeholders: Placeholders, mode: Mode) -> str:
    """All media, picture by picture, each with its depth where it has one."""
    depth = dict(zip(placeholders.depth_of, placeholders.depth, strict=True))
    if placeholders.paired:
        depth = dict(enumerate(placeholders.depth))
    pieces = []
    for index, count in enumerate(placeholders.image):
        beside = f" {_expanded('depth', depth[index], mode)}" if index in depth else ""
        pieces.append(f"{_expanded('image', count, mode)}{beside}\n")
    return "".join(pieces)


def _without_slots(turn: Turn) -> str:
    """The words alone. Media tokens within them are taken out: written there they would be placeholders without media."""
    words = "".join(part for part in turn.parts if isinstance(part, str))
    for token in MEDIA_TOKENS:
        words = words.replace(token, "")
    return words.strip()


def _in_front(turns: Sequence[Turn], placeholders: Placeholders, mode: Mode) -> list[str]:
    words = [_without_slots(turn) for turn in turns]
    return [_prefix(placeholders, mode) + words[0], *words[1:]]


def _published(turns: Sequence[Turn], placeholders: Placeholders, mode: Mode) -> list[str]:
    if mode == "dynamic" and placeholders.paired:
        return _in_front(turns, placeholders, mode)
    counts = {kind: iter(placeholders.of(kind)) for kind in TOKENS}
    return [
        "".join(
            _cleaned(part) if isinstance(part, str) else _expanded(part.kind, next(counts[part.kind]), mode) for part in turn.parts
        )
        for turn in turns
    ]


def _cleaned(text: str) -> str:
    """A piece of text with a media token written in it loses the token, and the white space at both ends."""
    found = [token for token in MEDIA_TOKENS if token in text]
    for token in found:
        text = text.replace(token, "").strip()
    return text


def _training(turns: Sequence[Turn], placeholders: Placeholders, mode: Mode, where: str) -> list[str]:
    if mode != "resize":
        return _in_front(turns, placeholders, mode)
    if placeholders.depth:
        raise InputError(
            f"{where}: depth in resize mode; the published training form has it in dynamic mode alone. Use the form 'consistent'."
        )
    return [_spaced(turn) for turn in turns]


def _spaced(turn: Turn) -> str:
    """Placeholders where they stand: a space before, a newline after each."""
    pieces: list[str] = [""]
    for part in turn.parts:
        if isinstance(part, Slot):
            pieces.append("")
        else:
            pieces[-1] += part
    if len(pieces) == 1:
        return pieces[0]
    pieces = [piece.strip() for piece in pieces]
    return f"{TOKENS['image']}\n".join([*(f"{piece} " for piece in pieces[:-1]), pieces[-1]])
