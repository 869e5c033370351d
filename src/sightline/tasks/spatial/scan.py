"""A scan of a reader as the scene that spatial questions are about, and its frames as their pictures.

Objects and poses are the reader's. What a frame shows of an object is counted in its instance picture, where the scan has them. The
room's floor is measured from depth: all that the frames show, seen from above, is the room; what lies at the floor's height is the
floor one may walk on. The area is measured three times (gaps of 20 and of 40 cm closed; every other frame alone): where these
differ, or the cameras never looked into `MAX_UNLOOKED_DEG` degrees and more, the room was not covered, and its size is not asked
for. Without `z_up` nothing that needs an up or a plan is asked, and nothing with a length where lengths are not in metres.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.errors import InputError
from sightline.geometry.camera import unproject
from sightline.tasks.crossview import Outcome, example_rng
from sightline.tasks.footage import Footage
from sightline.tasks.frame_rules import BY_SIGHT, ruled_frames, shortfall
from sightline.tasks.pictures import Studio, derived_path
from sightline.tasks.point_choices import scan_choice
from sightline.tasks.scan_coverage import scan_coverage
from sightline.tasks.space_aware import Chosen
from sightline.tasks.spatial import KINDS
from sightline.tasks.spatial.asking import ask_all
from sightline.tasks.spatial.facts import Scene
from sightline.tasks.spatial.floor import floor_of_points
from sightline.tasks.spatial.motion import STEEP
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.place import Floor, Moment, Place, PlacedObject
from sightline.types import Camera, ImageRef, LedgerEntry, Panel, Scan, ScanFrame, VideoPart

NEEDS_UP = (
    "room_size_estimation",
    "object_rel_direction_easy",
    "object_rel_direction_medium",
    "object_rel_direction_hard",
    "route_planning",
    "camera_view_change",
)
WITHOUT_LENGTHS = ("object_counting", "obj_appearance_order", "camera_view_change")
STRUCTURE = frozenset(("wall", "floor", "ceiling", "object", "objects", "unknown", "remove", "split", "otherstructure", "room"))
MAX_UNLOOKED_DEG = 60.0
FLOOR_FRAMES = 48
FRAME_POINTS = 4000
REACHES_M = (0.2, 0.4)
FLOOR_BAND_M = 0.1
FLOOR_QUANTILE = 0.02
UNKNOWN_LABEL = 255
MAX_UNKNOWN = 0.5  # of a picture, above which its labels do not say what is not in it


def scan_questions(scan: Scan, studio: Studio, options: SpatialOptions, *, split: str) -> Iterator[Outcome]:
    """The examples of a scan, and what had to be dropped.

    A scan whose shown frames cannot be read gives one ledger entry.
    """
    yield from scan.problems
    try:
        chosen = shown_frames(scan, studio.root, options)
        place, footage = see_scan(scan, studio, options, shown=chosen.frames)
    except (InputError, FileNotFoundError) as error:
        yield LedgerEntry(unit=scan.scan_id, reason="scan_unusable", detail=str(error))
        return
    if short := shortfall(scan.scan_id, len(scan.frames), options.frames, path=scan.scan_id):
        yield short
    if chosen.num_filled:
        detail = f"{len(chosen.frames)} frames: {chosen.num_greedy} by what they see, {chosen.num_filled} farthest in time"
        yield LedgerEntry(unit=scan.scan_id, reason="frames_filled", detail=detail, action="altered")
    wanted = tuple(kind for kind in KINDS if not options.kinds or kind in options.kinds)
    measurable = tuple(kind for kind in wanted if scan.in_metres or kind in WITHOUT_LENGTHS)
    if unmeasured := [kind for kind in wanted if kind not in measurable]:
        detail = f"lengths are not in metres: {', '.join(unmeasured)} are not asked"
        yield LedgerEntry(unit=scan.scan_id, reason="not_in_metres", detail=detail, action="altered")
    kinds = tuple(kind for kind in measurable if scan.z_up or kind not in NEEDS_UP)
    if unasked := [kind for kind in measurable if kind not in kinds]:
        detail = f"the data set does not say which way is up: {', '.join(unasked)} are not asked"
        yield LedgerEntry(unit=scan.scan_id, reason="up_unknown", detail=detail, action="altered")
    yield from ask_all(Scene(place, options), footage, split=split, kinds=kinds, dataset=scan.dataset)


def shown_frames(scan: Scan, root: Path, options: SpatialOptions) -> Chosen:
    """The frames that the questions show, by the options' rule.

    Raises:
        FileNotFoundError, InputError: there is no frame; by space: no depth, or depth that cannot be read; by points: no choice.
    """
    if not scan.frames:
        raise InputError(f"{scan.scan_id}: no frame with a picture and a pose. There is nothing to show.")
    if options.frames.policy == "space_aware":
        return scan_coverage(scan, root, options.frames)
    if options.frames.policy in BY_SIGHT:
        return scan_choice(scan, root, options.frames)
    rng = example_rng(options.seed, f"{scan.scan_id}/frames")
    passed_s = _time_s(scan, len(scan.frames) - 1)
    rate = (len(scan.frames) - 1) / passed_s if passed_s > 0 else 1.0
    return Chosen(frames=ruled_frames(len(scan.frames), options.frames, rng=rng, rate=rate), order=(), gains=())


def see_scan(scan: Scan, studio: Studio, options: SpatialOptions, *, shown: Sequence[int] | None = None) -> tuple[Place, Footage]:
    """The scene and its shown frames; None: those of `shown_frames`.

    Raises:
        FileNotFoundError, InputError: there is no frame, or a frame cannot be read.
    """
    if shown is None:
        shown = shown_frames(scan, studio.root, options).frames
    with ScanPixels(scan, studio.root) as pixels:
        images = tuple(_picture(scan, scan.frames[index], pixels, studio) for index in shown)
        moments = tuple(_moment(scan, index, pixels) for index in shown)
        floor, areas = _floor(scan, pixels) if scan.z_up else (None, ())
    objects = tuple(
        PlacedObject(object_id=each.object_id, label=each.category, box=each.box, cut=each.cut, unseen_deg=each.unseen_deg)
        for each in scan.objects
        if each.category.lower() not in STRUCTURE
    )
    return Place(scan.scan_id, objects, moments, floor, areas), _footage(images, moments)


def _picture(scan: Scan, frame: ScanFrame, pixels: ScanPixels, studio: Studio) -> ImageRef:
    """The frame's own file where it stands alone and upright, else a picture below `media/`."""
    if frame.image_index is None and frame.quarter_turns % 4 == 0:
        return studio.original(frame.image)
    rgb = pixels.rgb(frame)
    return studio.derived(derived_path("frames", scan.scan_id, Path(frame.frame_id).name), lambda: rgb)


def _moment(scan: Scan, index: int, pixels: ScanPixels) -> Moment:
    frame = scan.frames[index]
    labels = pixels.instances(frame)
    shares = None
    if labels is not None:
        counts = np.bincount(labels.ravel(), minlength=UNKNOWN_LABEL + 1) / labels.size
        known = counts[UNKNOWN_LABEL] <= MAX_UNKNOWN
        shares = (
            None
            if not known
            else {
                each.object_id: round(float(counts[each.label]), 8)
                for each in scan.objects
                if each.label is not None and counts[each.label] > 0
            }
        )
    return Moment(
        frame_id=frame.frame_id,
        time_s=_time_s(scan, index),
        camera_to_world=_opencv_pose(frame.camera) if frame.camera else None,
        shares=shares,
    )


def _opencv_pose(camera: Camera) -> tuple[float, ...]:
    """The pose with y down and x to the right in the picture: a negative focal length turns that axis round."""
    signs = np.array([np.sign(camera.fx), np.sign(camera.fy), 1.0, 1.0])
    return tuple((np.reshape(camera.camera_to_world, (4, 4)) * signs).ravel().tolist())


def _time_s(scan: Scan, index: int) -> float:
    """Seconds from the scan's first frame; a frame a second where nobody says."""
    first, here = scan.frames[0].timestamp_s, scan.frames[index].timestamp_s
    if first is not None and here is not None:
        return round(here - first, 3)
    return round(index / (scan.fps or 1.0), 3)


def _footage(images: tuple[ImageRef, ...], moments: Sequence[Moment]) -> Footage:
    numbers = tuple(range(len(images)))
    panels = tuple(
        Panel(role="frame", image_index=number, source=images[number], view_id=moments[number].frame_id) for number in numbers
    )
    part = VideoPart(image_indices=numbers, times_s=tuple(moment.time_s for moment in moments))
    return Footage(frames=numbers, images=images, panels=panels, part=part)


def _floor(scan: Scan, pixels: ScanPixels) -> tuple[Floor | None, tuple[float, ...]]:
    """The floor one may walk on, and the room's area measured in three ways; nothing where the frames have no depth or pose."""
    usable = [frame for frame in scan.frames if frame.depth is not None and frame.camera is not None]
    if not usable:
        return None, ()
    chosen = np.linspace(0, len(usable) - 1, min(FLOOR_FRAMES, len(usable))).round().astype(int).tolist()
    clouds = [_points(usable[index], pixels) for index in chosen]
    points = np.concatenate(clouds)
    if not len(points):
        return None, ()
    every_other = np.concatenate(clouds[::2])
    rooms = [floor_of_points(points[:, :2], reach_m=reach_m) for reach_m in REACHES_M]
    if len(every_other):
        rooms.append(floor_of_points(every_other[:, :2], reach_m=REACHES_M[0]))
    ground = scan.floor_z_m if scan.floor_z_m is not None else float(np.quantile(points[:, 2], FLOOR_QUANTILE))
    low = points[np.abs(points[:, 2] - ground) <= FLOOR_BAND_M]
    walkable = floor_of_points(low[:, :2], reach_m=REACHES_M[0]) if len(low) else None
    looked_around = unlooked_deg(usable) <= MAX_UNLOOKED_DEG
    return walkable, tuple(room.area_m2 for room in rooms) if looked_around else ()


def unlooked_deg(frames: Sequence[ScanFrame]) -> float:
    """The widest range of headings, degrees on the plan, that no frame with a pose looks into; 360 where there is none. z is up."""
    spans = []
    for camera in (frame.camera for frame in frames if frame.camera is not None):
        x, y, z = np.reshape(camera.camera_to_world, (4, 4))[:3, 2].tolist()
        if abs(z) <= STEEP:
            heading, half = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(camera.width / 2, abs(camera.fx)))
            spans += [(heading - half + turn, heading + half + turn) for turn in (-360, 0, 360)]
    if not spans:
        return 360.0
    (_, reached), *others = sorted(spans)
    widest = 0.0
    for low, high in others:
        widest = max(widest, float(low - reached))
        reached = max(reached, high)
    return widest


def _points(frame: ScanFrame, pixels: ScanPixels) -> Float[np.ndarray, "n 3"]:
    """At most about `FRAME_POINTS` world points of a frame, on a regular raster of its depth picture."""
    depth = pixels.depth_m(frame)
    assert depth is not None, "chosen because it has depth"
    step = max(1, int(np.sqrt(depth.size / FRAME_POINTS)))
    rows, columns = np.mgrid[step // 2 : depth.shape[0] : step, step // 2 : depth.shape[1] : step].reshape(2, -1)
    metres = depth[rows, columns].astype(np.float64)
    known = metres > 0
    places = np.stack([columns + 0.5, rows + 0.5], axis=1)[known]
    return unproject(places, metres[known], depth_camera(frame, depth))
