"""`sightline track`: follow objects through a folder of pictures or a video file; and `export track-masks`, those of a run."""

import enum
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, print_table, progress
from sightline.cli.export.exchange import export_app
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.export.track_masks import ClipTracks, TracksWritten
    from sightline.models.tracking.clip_files import FolderFrames, VideoFrames
    from sightline.models.tracking.shown import Shown
    from sightline.models.tracking.trackers import Found, TrackerModel


class LayoutName(enum.StrEnum):
    palette = "palette"
    objects = "objects"
    rle = "rle"


class TrackDtype(enum.StrEnum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


Write = Annotated[
    list[LayoutName] | None,
    typer.Option("--write", help="palette (PNG a frame), objects (a folder an object), rle (COCO-style JSON); may be given again."),
]


@app.command()
def track(  # noqa: PLR0913 - one parameter an option
    clip: Annotated[Path, typer.Argument(metavar="FOLDER|VIDEO", help="A folder of pictures, or an MP4, MKV, WebM or AVI file.")],
    *,
    model: Annotated[
        str, typer.Option("--model", help="sam2:FOLDER, sam2:FILE.pt?config=FILE.yaml, flow-warp or copy-first-mask.")
    ],
    out: Out,
    prompts: Annotated[Path | None, typer.Option(help="JSON with a mask, box or points an object; docs/sam2.md.")] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(metavar="[FRAME=]FILE", help="Label PNG of the first frame, or of frame FRAME; may be given again."),
    ] = None,
    write: Write = None,
    both_directions: Annotated[
        bool, typer.Option("--both-directions", help="Also from each object's first prompt back to the beginning.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="sam2: a torch device; default: a GPU where there is one.")] = None,
    dtype: Annotated[TrackDtype, typer.Option(help="sam2: number format; auto: bfloat16 on a GPU.")] = TrackDtype.auto,
    json: Json = False,
) -> None:
    """Follow objects through a clip and write their masks to OUT/palette, OUT/objects or OUT/rle.

    Objects may be given late and on several frames. A finished layout is kept by the same command.
    """
    from sightline.models import ModelOptions, get_model  # noqa: PLC0415
    from sightline.models.tracking.clip_files import open_frames  # noqa: PLC0415
    from sightline.models.tracking.trackers import TrackerModel  # noqa: PLC0415

    follower = get_model(model, ModelOptions(device=device, dtype=dtype.value))
    if not isinstance(follower, TrackerModel):
        raise InputError(f"--model {model!r} follows nothing. Use sam2:FOLDER, flow-warp or copy-first-mask.")
    frames = open_frames(clip)
    shown = _shown(frames, prompts, mask or [])
    layouts = [layout.value for layout in dict.fromkeys(write or [LayoutName.palette])]
    both = both_directions or follower.both_directions
    source = {
        "clip": clip.name,
        "frames": len(frames),
        "both_directions": both,
        "model": follower.describe(),
        "prompts": _digest(shown),
    }
    with progress(quiet=json) as bar:
        masks = _Followed(follower, frames, shown, both=both, bar=lambda done: bar("frames", done, len(frames)))
        written = [_write_one(out / layout, layout, clip, masks, source) for layout in layouts]

    emit(plain(written), as_json=json, text=lambda: print_tracks(written))


@export_app.command("track-masks")
def export_track_masks(
    run: Annotated[Path, typer.Argument(help="A run folder of a task set that asks for mask tracks.")],
    *,
    out: Out,
    write: Annotated[LayoutName, typer.Option("--write", help="palette, objects or rle.")] = LayoutName.palette,
    taskset: Annotated[Path | None, typer.Option(help="Where the run's task set lies now, if it has moved.")] = None,
    json: Json = False,
) -> None:
    """The masks of a run as PNG files or JSON, for `sightline eval-vos` and the benchmarks' own programs.

    Stop it and run it again: it goes on.
    """
    from sightline.evaluate.run import read_run  # noqa: PLC0415
    from sightline.evaluate.run_tracks import run_tracks  # noqa: PLC0415
    from sightline.evaluate.score import open_taskset  # noqa: PLC0415
    from sightline.export.track_masks import write_tracks  # noqa: PLC0415

    tasks, info = open_taskset(run, taskset), read_run(run)
    total = len(set(tasks.index["group"]))
    done: list[str] = []
    with progress(quiet=json) as bar:

        def note(video: str) -> None:
            done.append(video)
            bar("videos", len(done), total)

        source = {"model": info.description, "taskset": info.taskset_fingerprint}
        written = write_tracks(out, run_tracks(run, tasks), layout=write.value, source=source, on_video=note)
    emit(plain(written), as_json=json, text=lambda: print_tracks([written]))


class _Followed:
    """The tracks of the clip, followed when they are first asked for."""

    def __init__(
        self,
        model: "TrackerModel",
        frames: "FolderFrames | VideoFrames",
        shown: "list[Shown]",
        *,
        both: bool,
        bar: Callable[[int], None],
    ) -> None:
        self._model, self._frames, self._shown, self._both, self._bar = model, frames, shown, both, bar
        self._found: ClipTracks | None = None

    def tracks(self, video: str) -> "ClipTracks":
        from sightline.export.track_masks import ClipTracks  # noqa: PLC0415
        from sightline.models.tracking.trackers import whole_tracks  # noqa: PLC0415

        if self._found is None:
            names = list(dict.fromkeys(each.object_id for each in self._shown))
            tracks = whole_tracks(self._noted(), names, len(self._frames))
            size = (self._frames.height, self._frames.width)
            self._found = ClipTracks(video, self._frames.names, size, tracks, pictures=self._frames.files)
        return self._found

    def _noted(self) -> "Found":
        seen: set[int] = set()
        for frame, masks in self._model.tracker.follow(self._frames, self._shown, both_directions=self._both):
            seen.add(frame)
            self._bar(len(seen))
            yield frame, masks


def _shown(frames: "FolderFrames | VideoFrames", prompts: Path | None, masks: list[str]) -> "list[Shown]":
    from sightline.models.tracking.prompt_files import parse_label_picture, read_label_picture, read_prompts  # noqa: PLC0415

    if prompts is None and not masks:
        raise InputError("nothing to follow: give --prompts FILE.json, or --mask FILE.png with the objects of the first frame.")
    shown = [] if prompts is None else read_prompts(prompts, frames)
    for text in masks:
        frame, path = parse_label_picture(text)
        shown += read_label_picture(path, frame, frames)
    return shown


def _write_one(out: Path, layout: str, clip: Path, masks: _Followed, source: dict[str, Any]) -> "TracksWritten":
    """One layout; a video whose folder is there already is not followed again."""
    from sightline.export.track_masks import kept_tracks, write_tracks  # noqa: PLC0415

    video = clip.resolve().stem if clip.is_file() else clip.resolve().name
    kept = kept_tracks(out, video, layout=layout, source=source)  # pyright: ignore[reportArgumentType] - a value of LayoutName
    if kept is not None:
        return kept
    return write_tracks(out, iter([masks.tracks(video)]), layout=layout, source=source)  # pyright: ignore[reportArgumentType]


def _digest(shown: "list[Shown]") -> str:
    """What is shown, in a word: other prompts are another export."""
    import hashlib  # noqa: PLC0415

    from sightline.geometry.masks import encode_mask  # noqa: PLC0415

    parts = [
        (each.object_id, each.frame, each.box, each.points, None if each.mask is None else encode_mask(each.mask)) for each in shown
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def print_tracks(written: "list[TracksWritten]") -> None:
    rows = [(one.path, one.num_videos, one.num_kept, one.num_masks, one.num_contested_pixels) for one in written]
    print_table("Masks", ("folder", "videos", "kept from before", "masks written", "pixels of several objects"), rows)
