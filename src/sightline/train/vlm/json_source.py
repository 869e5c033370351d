"""Conversations in JSON or JSON lines, as Qwen-VL's, LLaVA's and ShareGPT-style trainers read them.

    {"id": "a", "image": "a.png", "conversations": [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", ..}]}
    {"id": "b", "images": ["a.png", "b.png"], "messages": [{"role": "user", "content": "<image><image>.."}, ..]}

`<image>` and `<video>` in a user's words are media slots, one for each path of `image`/`images` and `video`/`videos`, in order. A
tag between quotation marks or backticks ("<image>") is spoken of, not a slot; an unquoted tag in anybody else's words is an
error. `depth`/`depths` pair with the pictures. Paths are relative to the media root, or absolute below it. A record without an id
is called by its number. `system` is a system turn. Any other field is metadata to filter by.
"""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from jaxtyping import Int64

from sightline.datasets.questions.scenes import SceneName, named_scene, scene_in_paths
from sightline.depth_codecs import get_codec
from sightline.errors import InputError
from sightline.files import inside
from sightline.train.vlm.json_rows import JsonRows
from sightline.train.vlm.samples import MediaRef, Role, Sample, Slot, Turn

ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
TAG = re.compile(r"(?P<quote>[\"'`“‘]?)<(?P<kind>image|video)>(?P<end>[\"'`”’]?)")
CLOSING = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}
Kind = Literal["image", "video", "depth"]


class _Record(msgspec.Struct):
    """The fields that are read; any other is metadata."""

    id: str | int | None = None
    image: str | list[str] | None = None
    images: list[str] | None = None
    video: str | list[str] | None = None
    videos: list[str] | None = None
    depth: str | list[str] | None = None
    depths: list[str] | None = None
    system: str | None = None
    conversations: list[dict[str, Any]] | None = None
    messages: list[dict[str, Any]] | None = None


class _Place(msgspec.Struct):
    """What a record says of its scene."""

    image: str | list[str] | None = None
    images: list[str] | None = None
    video: str | list[str] | None = None
    videos: list[str] | None = None
    dataset: str | None = None
    data_source: str | None = None
    scene_id: str | None = None
    scene_name: str | None = None


KNOWN = frozenset(_Record.__struct_fields__)


class JsonSource:
    """An annotation file with the folder its media lie in.

    Args:
        path: a JSON array or JSON lines.
        media_root: the folder that paths are relative to and must stay in; None: the file's own.
        name: what tables call it; None: the file's.
        depth_codec: how the files of `depth` are written; None: depth is left out.
        report: is told once of each field that is not read.

    Raises:
        FileNotFoundError: no such file or folder.
        InputError: neither an array nor lines, cut short, or no record in it.
    """

    def __init__(
        self,
        path: Path,
        *,
        media_root: Path | None = None,
        name: str | None = None,
        depth_codec: str | None = "u8x3_minmax",
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.media_root = media_root or path.parent
        self.name = name or path.stem
        self.unread_fields: set[str] = set()
        self._report = report
        self._depth_codec = depth_codec if depth_codec is None else get_codec(depth_codec).name
        if not self.media_root.is_dir():
            raise FileNotFoundError(f"{self.media_root}: no such folder for the media of {path}. Set media_root.")
        self._rows = JsonRows(path)
        if not len(self._rows):
            raise InputError(f"{path}: no record in it; expected a JSON array of objects, or one object a line.")
        self._decoder = msgspec.json.Decoder(_Record)

    @property
    def fingerprint(self) -> str:
        """The file's content, its media root and what is made of its depth."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return hashlib.blake2b(
            f"{self._rows.digest()} {self.media_root.resolve()} {self._depth_codec}".encode(), digest_size=16
        ).hexdigest()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int) -> Sample:
        content = self._rows[position]
        try:
            record = self._decoder.decode(content)
            fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self.path}, record {position} (counted from 0): {error}. Mend the record.") from error
        self._note_unread(fields.keys() - KNOWN)
        sample_id = f"{self.name}#{position}" if record.id is None else str(record.id)
        where = f"{self.path}, record {position}, id {sample_id!r}"
        images, videos = (self._media(record, kind, where) for kind in ("image", "video"))
        depths = self._media(record, "depth", where) if self._depth_codec is not None else ()
        turns = _turns(record, where)
        _check_counts(turns, {"image": len(images), "video": len(videos)}, where)
        return Sample(sample_id, self.name, turns, images=images, videos=videos, depths=depths)

    def column(self, name: str) -> Sequence[object]:
        """A field of every record."""
        values: list[object] = []
        seen: set[str] = set()
        for position in range(len(self)):
            fields = msgspec.json.decode(self._rows[position], type=dict[str, msgspec.Raw])
            seen.update(fields)
            values.append(msgspec.json.decode(fields[name]) if name in fields else None)
        if name not in seen:
            nearest = difflib.get_close_matches(name, seen, n=1, cutoff=0.0)[0]
            raise InputError(
                f"{self.path}: no record has a field {name!r} to filter by; did you mean {nearest!r}? They have "
                f"{', '.join(sorted(seen))}."
            )
        return values

    def scenes(self) -> Iterator[SceneName]:
        """The scene of each record that tells it, by its fields or by where its media lie."""
        decoder = msgspec.json.Decoder(_Place)
        for position in range(len(self)):
            try:
                place = decoder.decode(self._rows[position])
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # reading the sample says what is wrong with it
            paths = [path for one in (place.video, place.videos, place.image, place.images) for path in _listed(one)]
            found = scene_in_paths(paths) or SceneName("", "")
            dataset = place.dataset or place.data_source or found.dataset
            scene = named_scene(dataset, place.scene_id or place.scene_name or found.scene_id)
            if scene.dataset and scene.scene_id:
                yield scene

    def groups(self) -> Int64[np.ndarray, " n"]:
        """By the record's scene, or where it names none by its first medium."""
        decoder = msgspec.json.Decoder(_Place)
        names = []
        for position in range(len(self)):
            try:
                place = decoder.decode(self._rows[position])
            except (msgspec.DecodeError, UnicodeDecodeError):
                place = _Place()  # reading the sample says what is wrong with it
            paths = [path for one in (place.image, place.images, place.video, place.videos) for path in _listed(one)]
            scene = place.scene_id or place.scene_name
            names.append(f"scene {scene}" if scene else paths[0] if paths else f"record {position}")
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    def _note_unread(self, fields: set[str]) -> None:
        for field in sorted(fields - self.unread_fields):
            self.unread_fields.add(field)
            self._report(f"{self.path}: the field {field!r} is not read, but can be filtered by.")

    def _media(self, record: _Record, kind: Kind, where: str) -> tuple[MediaRef, ...]:
        one, several = getattr(record, kind), getattr(record, f"{kind}s")
        if one and several:
            raise InputError(f"{where}: both {kind!r} and '{kind}s'; expected one of them. Remove the other.")
        paths = [one] if isinstance(one, str) else one or several or []
        codec = self._depth_codec if kind == "depth" else None
        return tuple(MediaRef(self._file(path, where), codec=codec) for path in paths)

    def _file(self, path: str, where: str) -> Path:
        relative = Path(path)
        if relative.is_absolute() and relative.is_relative_to(self.media_root.absolute()):
            path = relative.relative_to(self.media_root.absolute()).as_posix()
        try:
            return inside(self.media_root, path)
        except InputError as error:
            raise InputError(f"{where}: {error} Or set media_root to a folder above it.") from error


def _listed(paths: str | list[str] | None) -> list[str]:
    return [paths] if isinstance(paths, str) else paths or []


def _turns(record: _Record, where: str) -> tuple[Turn, ...]:
    if (record.conversations is None) == (record.messages is None):
        raise InputError(f"{where}: expected either 'conversations' (from, value) or 'messages' (role, content).")
    said, (role_key, text_key) = (
        (record.conversations, ("from", "value")) if record.conversations is not None else (record.messages, ("role", "content"))
    )
    numbers = {"image": 0, "video": 0}
    turns = [Turn("system", _parts(record.system, "system", numbers, where))] if record.system else []
    for message in said or []:
        name, text = message.get(role_key), message.get(text_key)
        role = ROLES.get(name) if isinstance(name, str) else None
        if role is None or not isinstance(text, str):
            raise InputError(
                f"{where}: a turn with {role_key} {name!r} and {text_key} of type {type(text).__name__}; expected one of "
                f"{', '.join(ROLES)}, and text."
            )
        turns.append(Turn(role, _parts(text, role, numbers, where)))
    return tuple(turns)


def _parts(text: str, role: Role, numbers: dict[str, int], where: str) -> tuple[str | Slot, ...]:
    """The words cut at the tags that stand for media; `numbers` counts these over the sample."""
    parts: list[str | Slot] = []
    last = 0
    for match in TAG.finditer(text):
        if match["quote"] and CLOSING[match["quote"]] == match["end"]:
            continue
        if role != "user":
            raise InputError(f"{where}: <{match['kind']}> in a turn of the {role}; media stand in the user's turns only.")
        start, end = match.end("quote"), match.start("end")
        if text[last:start]:
            parts.append(text[last:start])
        parts.append(Slot("image" if match["kind"] == "image" else "video", numbers[match["kind"]]))
        numbers[match["kind"]] += 1
        last = end
    if text[last:] or not parts:
        parts.append(text[last:])
    return tuple(parts)


def _check_counts(turns: tuple[Turn, ...], media: dict[str, int], where: str) -> None:
    for kind, expected in media.items():
        found = sum(isinstance(part, Slot) and part.kind == kind for turn in turns for part in turn.parts)
        if found == expected:
            continue
        quoted = sum(turn.text.count(f"<{kind}>") for turn in turns)
        aside = f" ({quoted} more in quotation marks are words)" if quoted else ""
        raise InputError(
            f"{where}: {found} <{kind}> tags in the user's turns{aside}, but {expected} {kind} paths; expected as many tags "
            f"as paths. Write one <{kind}> where each is to be seen."
        )
