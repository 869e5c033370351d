"""An x3 tree from clips with masks: for each object some views far apart in time, each with its removed twin and a control.

    {split}/{clip}/uid_{label}/{kk}_{frame}_original.png           the frame, lossless, scaled
                                           _mask.png               the object; empty = not in the frame
                                           _mask_dialated.png      grown by a fraction of the width: what is painted away
                                           _inpainted.png          without the object (equal to the original where it is not there)
                                           _control.png            with the object, a random-shaped place elsewhere painted away
                                           _depth.png, _pose.txt   with intrinsics.json: of prepared scans (`scan_views`)
                                           _painted.png            with remove > 1: the mask of all that `_inpainted` paints away

Pictures are scaled by averaging areas; a pixel of a scaled mask is set where the object covers at least half of it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import msgspec
import numpy as np
from jaxtyping import Bool, UInt8

from sightline import media
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import Box, mask_to_box
from sightline.prepare.paint import Method, grow, inpaint, random_shape
from sightline.prepare.run import Outcome, PreparedTree, SplitOptions, Unit, prepare
from sightline.prepare.scan_views import PosedFrames, posed_frames
from sightline.prepare.views import VOID, SurveyedFrame, choose_views, survey
from sightline.prepare.x3_tree import SceneFolder, five_frames_item, mask_png, scene_folder
from sightline.types import Clip, LedgerEntry, Record


class ClipOptions(Record):
    """How clips become x3 objects.

    `views`: at most so many an object. `scale`: of both sides, up to 1. `dilate`: what is painted away beyond the object, as a
    fraction of the width. `inpaint_radius`: pixels. `min_area`: the least fraction of the picture that counts as visible.
    `controls`: also write control pictures. `remove`: paint so many objects of the frame away at once, the target among them.
    """

    views: int = 5
    scale: float = 1.0
    dilate: float = 0.02
    inpaint: Method = "telea"
    inpaint_radius: float = 5.0
    min_area: float = 0.001
    controls: bool = True
    remove: int = 1

    def check(self) -> None:
        """Raises InputError if a number is out of its range."""
        ranges: dict[str, tuple[float, float]] = {
            "views": (2, 99),
            "scale": (0.01, 1),
            "dilate": (0, 0.25),
            "inpaint_radius": (1, 100),
            "min_area": (1e-6, 0.5),
            "remove": (1, 254),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise InputError(f"prepare x3: {name} is {getattr(self, name)}; expected {least} to {most}.")


def prepare_x3(  # noqa: PLR0913 - what, from where, to where, and how
    clips: Sequence[Clip],
    root: Path,
    out: Path,
    *,
    reader: str,
    options: ClipOptions,
    split_options: SplitOptions,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> PreparedTree:
    """Write the scenes of all clips that are not there yet; `reader` names where the clips come from.

    Raises:
        InputError: an option out of range; and as `run.prepare`.
    """
    options.check()
    units = [
        Unit(
            unit_id=clip.clip_id,
            content=msgspec.json.encode(clip),
            files=tuple(path for frame in clip.frames for path in (frame.image, frame.labels) if path),
        )
        for clip in clips
    ]
    return prepare(
        units,
        root,
        out,
        kind=reader,
        work=partial(_prepare_clip, options=options, seed=split_options.seed),
        split_options=split_options,
        options=msgspec.structs.asdict(options) | msgspec.structs.asdict(split_options),
        workers=workers,
        on_progress=on_progress,
    )


@dataclass(frozen=True)
class _Frame:
    """A chosen frame, scaled: its picture and the mask of every label in it, void included; their boxes before scaling."""

    rgb: UInt8[np.ndarray, "h w 3"]
    masks: dict[int, Bool[np.ndarray, "h w"]]
    boxes_full: dict[int, Box]


def _prepare_clip(content: bytes, root: Path, out: Path, place: str, *, options: ClipOptions, seed: int) -> Outcome:
    """One scene. Frames are surveyed one by one, and only chosen ones are decoded again."""
    clip = msgspec.json.decode(content, type=Clip)
    ledger = list(clip.problems)
    frames = survey(clip, root, ledger)
    if len(frames) < 2:
        detail = f"{len(frames)} of {len(clip.frames)} frames can be used; views need at least two"
        ledger.append(LedgerEntry(unit=clip.clip_id, reason="too_few_frames", detail=detail))
        return Outcome(ledger=tuple(ledger))
    counts = []
    posed = posed_frames(root, clip.clip_id)
    with scene_folder(out, place) as folder:
        for label in _labels(clip, frames):
            known = _known(clip, frames, label)
            chosen = choose_views(known, label, views=options.views, min_area=options.min_area)
            if chosen:
                maker = _ObjectMaker(clip, root, folder, label, options, seed, ledger, posed)
                maker.write(chosen)
                counts.append(len(chosen))
            else:
                ledger.append(_too_rarely_seen(clip, label, known, options))
    if not counts and not any(frame.areas for frame in frames):
        ledger.append(LedgerEntry(unit=clip.clip_id, reason="no_objects", detail=f"no label in any of {len(frames)} frames"))
    return Outcome(num_objects=len(counts), num_views=sum(counts), ledger=tuple(ledger))


def _labels(clip: Clip, frames: Sequence[SurveyedFrame]) -> list[int]:
    """The objects: those that the data set lists, or where it lists none every label that some frame shows."""
    listed = {track.label for track in clip.tracks}
    return sorted(label for label in {label for frame in frames for label in frame.areas} - {VOID} if not listed or label in listed)


def _name(clip: Clip, label: int) -> str | None:
    return next((track.category for track in clip.tracks if track.label == label), clip.categories.get(label))


def _known(clip: Clip, frames: Sequence[SurveyedFrame], label: int) -> list[SurveyedFrame]:
    """The frames in which the annotation says whether the object is there; in others its missing pixels are no absence."""
    annotated = next((track.annotated for track in clip.tracks if track.label == label), None)
    return [frame for frame in frames if annotated is None or frame.time in annotated]


def _too_rarely_seen(clip: Clip, label: int, frames: Sequence[SurveyedFrame], options: ClipOptions) -> LedgerEntry:
    unit = f"{clip.clip_id}/uid_{label}"
    there = [frame for frame in frames if label in frame.areas]
    largest = max((frame.share(label) for frame in there), default=0.0)
    if len(there) == 1:
        detail = f"it is in frame {there[0].frame.frame_id} only; views need at least two"
        return LedgerEntry(unit=unit, reason="object_in_one_frame", detail=detail)
    visible = sum(frame.share(label) >= options.min_area for frame in there)
    detail = (
        f"{visible} of {len(frames)} frames show at least {options.min_area:.4%} of it, views need two; the largest sight "
        f"covers {largest:.4%} of the picture"
    )
    return LedgerEntry(unit=unit, reason="too_small", detail=detail)


@dataclass(frozen=True)
class _ObjectMaker:
    """Writes the folder of one object."""

    clip: Clip
    root: Path
    folder: SceneFolder
    label: int
    options: ClipOptions
    seed: int
    ledger: list[LedgerEntry]
    posed: PosedFrames | None = None

    def write(self, chosen: Sequence[SurveyedFrame]) -> None:
        uid = str(self.label)
        items: list[dict[str, Any]] = []
        posed = self._posed(chosen)
        for index, surveyed in enumerate(chosen, start=1):
            view_id = f"{index:02d}_{surveyed.frame.frame_id}"
            frame = _load(surveyed, self.root, self.options.scale)
            if self.label in frame.masks and not frame.masks[self.label].any():
                self._note(view_id, "lost_by_scaling", "no pixel of the scaled mask is half covered", action="dropped")
                continue
            for name, content in self._pictures(frame, view_id).items():
                self.folder.write(uid, f"{view_id}_{name}.png", content)
            for name, content in posed.view_files(surveyed.frame.frame_id, frame.rgb.shape[1::-1]).items() if posed else ():
                self.folder.write(uid, f"{view_id}_{name}", content)
            items.append(
                five_frames_item(
                    scene_id=self.clip.clip_id,
                    uid=uid,
                    view_id=view_id,
                    label=_name(self.clip, self.label),
                    size=(surveyed.width, surveyed.height),
                    box=frame.boxes_full.get(self.label),
                    place=self.folder.place,
                )
            )
        self.folder.write_items(uid, self.clip.clip_id, items)

    def _posed(self, chosen: Sequence[SurveyedFrame]) -> PosedFrames | None:
        """Where the views have depth and poses, these, with the intrinsics of all of them written; else None."""
        if self.posed is None:
            return None
        size = _scaled_size(chosen[0], self.options.scale)
        intrinsics = self.posed.same_intrinsics([surveyed.frame.frame_id for surveyed in chosen], size)
        if intrinsics is None or any(_scaled_size(surveyed, self.options.scale) != size for surveyed in chosen):
            detail = "its views lack depth, or differ in intrinsics or size, and the layout has one intrinsics.json an object"
            self._note("all views", "no_depth_and_pose", detail)
            return None
        self.folder.write(str(self.label), "intrinsics.json", intrinsics)
        return self.posed

    def _pictures(self, frame: _Frame, view_id: str) -> dict[str, bytes]:
        """The pictures of one view by the last part of their names."""
        options = self.options
        mask = frame.masks.get(self.label, np.zeros(frame.rgb.shape[:2], bool))
        dilated = grow(mask, options.dilate)
        original = media.encode_png(frame.rgb)
        pictures = {"original": original, "mask": mask_png(mask), "mask_dialated": mask_png(dilated), "inpainted": original}
        if not mask.any():
            return pictures
        hole = dilated
        if options.remove > 1:
            hole = dilated | self._others(frame, view_id)
            pictures["painted"] = mask_png(hole)
        pictures["inpainted"] = media.encode_png(inpaint(frame.rgb, hole, method=options.inpaint, radius=options.inpaint_radius))
        if options.controls:
            pictures |= self._control(frame, view_id, area=int(hole.sum()))
        return pictures

    def _others(self, frame: _Frame, view_id: str) -> Bool[np.ndarray, "h w"]:
        """The grown masks of as many other objects as are to go with this one."""
        others = [label for label in frame.masks if label not in (self.label, VOID)]
        drawn = self._rng(f"{view_id}/others").permutation(others)[: self.options.remove - 1]
        if len(drawn) < self.options.remove - 1:
            detail = f"{1 + len(drawn)} objects painted away, not {self.options.remove}: the frame has no more"
            self._note(view_id, "fewer_removed", detail)
        hole = np.zeros(frame.rgb.shape[:2], bool)
        for label in drawn:
            hole |= grow(frame.masks[int(label)], self.options.dilate)
        return hole

    def _control(self, frame: _Frame, view_id: str, *, area: int) -> dict[str, bytes]:
        taken = np.zeros(frame.rgb.shape[:2], bool)
        for mask in frame.masks.values():
            taken |= grow(mask, self.options.dilate)
        shape = random_shape(~taken, area, self._rng(f"{view_id}/control"))
        if shape is None:
            self._note(view_id, "no_room_for_control", "no random shape found a place beside the objects")
            return {}
        painted = inpaint(frame.rgb, shape, method=self.options.inpaint, radius=self.options.inpaint_radius)
        return {"control": media.encode_png(painted)}

    def _rng(self, purpose: str) -> np.random.Generator:
        key = f"{self.seed}/{self.clip.clip_id}/{self.label}/{purpose}"
        return np.random.default_rng(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest()))

    def _note(self, view_id: str, reason: str, detail: str, *, action: Literal["dropped", "altered"] = "altered") -> None:
        unit = f"{self.clip.clip_id}/uid_{self.label}/{view_id}"
        self.ledger.append(LedgerEntry(unit=unit, reason=reason, detail=detail, action=action))


def _scaled_size(surveyed: SurveyedFrame, scale: float) -> tuple[int, int]:
    if scale == 1:
        return surveyed.width, surveyed.height
    return max(1, round(surveyed.width * scale)), max(1, round(surveyed.height * scale))


def _load(surveyed: SurveyedFrame, root: Path, scale: float) -> _Frame:
    assert surveyed.frame.image is not None
    assert surveyed.frame.labels is not None
    rgb = media.read_rgb(inside(root, surveyed.frame.image))
    labels = media.read_labels(inside(root, surveyed.frame.labels))
    size = _scaled_size(surveyed, scale)
    if scale < 1:
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    masks, boxes = {}, {}
    for label in surveyed.areas:
        mask = labels == label
        box = mask_to_box(mask)
        assert box is not None, "a surveyed label has pixels"
        boxes[label] = box
        if scale < 1:
            mask = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
        masks[label] = mask
    return _Frame(rgb, masks, boxes)
