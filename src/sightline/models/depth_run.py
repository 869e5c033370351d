"""A depth map for every picture of task sets, each picture once; resumable at any moment.

A map's file is named by its picture's content, in a folder of one model and one codec, and appears whole: a map that is there is
done. What is remarkable about a picture is noted before its map is written, so that no kill loses a line of the ledger.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float32

from sightline.depth_codecs import DepthCodec, UnusableDepthError, get_codec, inverse_picture, share_beyond_u16
from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, remove_temporaries, write_json, write_whole
from sightline.media import encode_png
from sightline.models.depth import DepthModel
from sightline.taskset.depth import (
    FORMAT,
    INDEX,
    LEDGER,
    SETTINGS,
    DepthIndex,
    DepthMap,
    DepthSettings,
    check_size,
    depth_picture,
    map_path,
    read_index,
)
from sightline.taskset.store import TaskSet
from sightline.types import ImageRef, LedgerEntry, Record

NOTES = "notes"


class DepthDone(Record):
    """What stands in the folder now: maps in all, maps written by this call, and the ledger's entries by reason."""

    path: str
    num_maps: int
    num_written: int
    dropped: dict[str, int]
    altered: dict[str, int]


def write_depth(
    tasksets: Sequence[TaskSet],
    model: DepthModel,
    out: Path,
    *,
    codec: DepthCodec,
    on_progress: Callable[[int, int], None] | None = None,
) -> DepthDone:
    """Write the maps that are missing. A map that is constant or not finite is none: its picture goes to the ledger.

    Raises:
        FileNotFoundError: a picture is gone.
        InputError: a codec that the model cannot fill, a folder of another model or codec, a picture that is damaged or has
            changed, a map of another size than its picture, or not one usable map.
    """
    report = on_progress or (lambda *_: None)
    settings = model.settings(codec)
    pictures = distinct_pictures(tasksets)
    num_written = 0
    with only_writer(out):
        _check_settings(out, settings)
        for folder in (out, out / NOTES, *(out / "maps").glob("*")):
            remove_temporaries(folder)
        for count, (image, taskset) in enumerate(pictures, start=1):
            if not _is_done(image, out, codec):
                num_written += _write_map(image, taskset, model, out=out, codec=codec)
            report(count, len(pictures))
        index = _publish(out, model.name, settings, pictures=[image for image, _ in pictures])
        return _summary(out, index, num_written)


def distinct_pictures(tasksets: Sequence[TaskSet]) -> list[tuple[ImageRef, TaskSet]]:
    """The pictures whose depth the questions of the task sets need, each once, with a task set that it can be read from."""
    found: dict[str, tuple[ImageRef, TaskSet]] = {}
    for taskset in tasksets:
        for example in taskset:
            for index in range(len(example.question.images)):
                image = depth_picture(example.question, index)
                found.setdefault(image.digest, (image, taskset))
    return list(found.values())


def _check_settings(out: Path, settings: DepthSettings) -> None:
    path = out / SETTINGS
    if not path.exists():
        strangers = [place.name for place in out.iterdir() if not place.name.startswith(".")]
        if strangers:
            raise InputError(
                f"{out}: holds {', '.join(sorted(strangers)[:3])} and no {SETTINGS}: no folder of depth maps. Choose another."
            )
        write_json(path, settings)
        return
    stored, asked = msgspec.structs.asdict(read_json(path, DepthSettings)), msgspec.structs.asdict(settings)
    differences = [f"{name} is {stored[name]!r} there and {asked[name]!r} here" for name in asked if stored[name] != asked[name]]
    if differences:
        raise InputError(
            f"{path}: depth maps made in another way: {'; '.join(differences)}. Choose another --out, or delete that one."
        )


def _is_done(image: ImageRef, out: Path, codec: DepthCodec) -> bool:
    path = inside(out, map_path(image, codec))
    if path.is_file():
        check_size(path, image, codec)
        return True
    note = out / NOTES / f"{image.digest}.json"
    return note.is_file() and read_json(note, LedgerEntry).action == "dropped"


def _write_map(image: ImageRef, taskset: TaskSet, model: DepthModel, *, out: Path, codec: DepthCodec) -> bool:
    """Whether the picture got a map."""
    values = model.estimate(taskset.read_rgb(image))
    note = out / NOTES / f"{image.digest}.json"
    unit = f"{image.root}:{image.path}"
    try:
        content = _encoded(values, model, codec)
    except UnusableDepthError as error:
        write_json(note, LedgerEntry(unit=unit, reason=error.reason, detail=str(error), path=image.path))
        return False
    if codec.name == "mm_u16" and (share := share_beyond_u16(values)):
        detail = f"{share:.2%} of its pixels are beyond 65.535 m and have no depth in mm_u16"
        write_json(note, LedgerEntry(unit=unit, reason="beyond_range", detail=detail, action="altered", path=image.path))
    write_whole(inside(out, map_path(image, codec)), content)
    return True


def _encoded(values: Float32[np.ndarray, "h w"], model: DepthModel, codec: DepthCodec) -> bytes:
    if model.quantity == "metres" and not codec.metric:
        return encode_png(inverse_picture(values))
    return codec.encode(values)


def _publish(out: Path, model: str, settings: DepthSettings, *, pictures: Sequence[ImageRef]) -> DepthIndex:
    """Write ledger and index; what earlier calls put into them stays."""
    codec = get_codec(settings.codec)
    write_whole(out / LEDGER, b"".join(msgspec.json.encode(note) + b"\n" for note in _notes(out)))
    maps = dict(read_index(out).maps) if (out / INDEX).exists() else {}
    for image in pictures:
        path = map_path(image, codec)
        if image.digest not in maps and inside(out, path).is_file():
            maps[image.digest] = DepthMap(path=path, width=image.width, height=image.height, image=f"{image.root}:{image.path}")
    if not maps:
        raise InputError(
            f"{out}: not one of {len(pictures)} pictures got a usable depth map; {LEDGER} there has the reasons. The checkpoint "
            "may be damaged or untrained."
        )
    index = DepthIndex(format=FORMAT, model=model, settings=settings, maps=dict(sorted(maps.items())))
    write_json(out / INDEX, index)
    return index


def _notes(out: Path) -> list[LedgerEntry]:
    return [read_json(path, LedgerEntry) for path in sorted((out / NOTES).glob("*.json"))]


def _summary(out: Path, index: DepthIndex, num_written: int) -> DepthDone:
    dropped, altered = (
        dict(Counter(note.reason for note in _notes(out) if note.action == action)) for action in ("dropped", "altered")
    )
    return DepthDone(path=str(out), num_maps=len(index.maps), num_written=num_written, dropped=dropped, altered=altered)
