"""Chequered rooms as prepared scans, and questions about how far away their walls are.

    ROOT/rooms.json                                        what was asked for; another request against it is an error
    ROOT/room_000000/scan.json  colour/  depth/            two frames with poses and exact depth (`datasets.scans.prepared`)
    ROOT/train.json  val.json                              two questions a room, conversations as `build qa --data qa-json` reads

    camera_obj_rel_dist    which side of the first frame is nearer to the camera, the left or the right? A or B
    camera_obj_abs_dist    how far from the camera is what is in the middle of it? metres, to 0.1

An answer is the median depth of a part of the first frame: its left and right quarter, its middle. The rooms are empty, and the
camera looks anywhere from anywhere; walls, floor and ceiling have checks of one size, which look small from afar. Rooms are
numbered through both splits, training first: no room is in two. A room depends on the seed and its number, on nothing else.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sightline.demo.layout import Layout, Shell, look_at
from sightline.demo.paint import Rgb
from sightline.demo.render import Lens, cast, colour, to_millimetres
from sightline.errors import InputError
from sightline.files import read_json, whole_folder, write_json, write_whole
from sightline.media import encode_grey_png, encode_png
from sightline.types import Camera, Record, Scan, ScanFrame

GREYS: tuple[Rgb, ...] = ((0.20, 0.20, 0.20), (0.35, 0.35, 0.35), (0.50, 0.50, 0.50))
CHECK_M, LIGHTER = 0.18, 0.4  # the side of a check; the share of what it lacks to white that every other one keeps
LENS = Lens(112, 84)
NUM_FRAMES = 2
EYE_M, FROM_WALL_M = (1.0, 2.0), 0.25
TILT_M = 0.25  # by which the camera looks up or down at most, a metre away
STEP_M = 0.15  # by which the second camera is aside at most
SIDE, MIDDLE = LENS.width // 4, (slice(28, 56), slice(42, 70))  # pixels: how wide left and right are; rows and columns
LEAST_APART_M = 0.3  # of left and right
STREAM = 2  # so that no room is one of `demo.rooms` or `demo.pointing`
MAX_ROOMS = 999_999
CHUNK = 20
RECORD, SPLITS = "rooms.json", ("train", "val")
REVISION = 1  # of the rooms that a request gives
NEARER = "Which side of the first frame is nearer to the camera?\nA. the left\nB. the right"
HOW_FAR = "How far from the camera is the middle of the first frame, in metres?"


class NearFarRecord(Record):
    """`rooms.json`: the request that a folder of rooms answers."""

    num_train: int
    num_validation: int
    seed: int
    revision: int


@dataclass(frozen=True)
class NearFar:
    """One room: frames as PNG with depth and poses, and metres from the first camera: to the left, the right and the middle."""

    pictures: tuple[bytes, ...]
    depths: tuple[bytes, ...]
    poses: tuple[Float[np.ndarray, "4 4"], ...]
    metres: tuple[float, float, float]


def write_near_far(
    root: Path,
    *,
    num_train: int,
    num_validation: int,
    seed: int = 0,
    workers: int = 1,
    on_room: Callable[[int], None] | None = None,
) -> None:
    """Write the rooms and their questions, whole or not at all; those of the same request that are there already are kept.

    Args:
        on_room: called with how many are drawn.

    Raises:
        InputError: a count, seed or number of workers out of range; `root` holds something else, or rooms of another request.
    """
    asked = NearFarRecord(num_train=num_train, num_validation=num_validation, seed=seed, revision=REVISION)
    _check_request(asked, workers)
    if _is_there(root, asked):
        return
    numbers = range(num_train + num_validation)
    with ExitStack() as stack:
        run = map
        if workers > 1:
            spawn = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(min(workers, len(numbers)), mp_context=spawn))
            run = partial(pool.map, chunksize=CHUNK)
        folder = stack.enter_context(whole_folder(root))
        metres: list[tuple[float, float, float]] = []
        for number, room in zip(numbers, run(partial(draw_near_far, seed=seed), numbers), strict=True):
            _write_scan(folder, room_name(number), room)
            metres.append(room.metres)
            if on_room:
                on_room(len(metres))
        for split, own in zip(SPLITS, (numbers[:num_train], numbers[num_train:]), strict=True):
            write_json(folder / f"{split}.json", [row for number in own for row in _questions(number, metres[number])])
        write_json(folder / RECORD, asked)


def room_name(number: int) -> str:
    """The scan of a room."""
    return f"room_{number:06d}"


def draw_near_far(number: int, *, seed: int) -> NearFar:
    """Room `number` of a seed: the first whose sides are not equally far. Each try has a generator of its own."""
    attempt = 0
    while True:
        rng = np.random.default_rng([seed, number, attempt, STREAM])
        if (found := _seen(_empty_room(rng), rng)) is not None:
            return found
        attempt += 1


def _empty_room(rng: np.random.Generator) -> Layout:
    """Four walls, floor and ceiling, chequered in greys."""
    size = (float(rng.uniform(5.0, 6.5)), float(rng.uniform(5.0, 6.5)), float(rng.uniform(2.5, 3.0)))
    floor, ceiling, *walls = (partial(_checks, rgb=GREYS[rng.integers(len(GREYS))]) for _ in range(6))
    shell = Shell(size, floor=floor, ceiling=ceiling, walls=(walls[0], walls[1], walls[2], walls[3]))
    return Layout(shell, parts=(), poses=(), frame_ids=())


def _seen(layout: Layout, rng: np.random.Generator) -> NearFar | None:
    """The room from two places; None where left and right are about equally far from the first."""
    poses = _poses(layout, rng)
    views = [cast(layout, pose, lens=LENS) for pose in poses]
    depth = views[0].depth
    left, right, middle = (float(np.median(part)) for part in (depth[:, :SIDE], depth[:, -SIDE:], depth[MIDDLE]))
    if abs(left - right) < LEAST_APART_M:
        return None
    pictures = tuple(encode_png(colour(layout, hits, pose, lens=LENS)) for hits, pose in zip(views, poses, strict=True))
    depths = tuple(encode_grey_png(to_millimetres(hits.depth)) for hits in views)
    return NearFar(pictures, depths, poses, (left, right, middle))


def _poses(layout: Layout, rng: np.random.Generator) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "4 4"]]:
    """Two cameras beside each other that look at one place."""
    size = np.array(layout.shell.size[:2])
    eye = np.array([*rng.uniform(FROM_WALL_M, size - FROM_WALL_M), rng.uniform(*EYE_M)])
    turn = rng.uniform(0, 2 * np.pi)
    aim = eye + np.array([np.cos(turn), np.sin(turn), rng.uniform(-TILT_M, TILT_M)])
    return look_at(eye, aim), look_at(eye + rng.uniform(-STEP_M, STEP_M, 3), aim)


def _checks(local: Float[np.ndarray, "n 3"], *, rgb: Rgb) -> Float[np.ndarray, "n 3"]:
    """Cubes of `CHECK_M`, of the colour and of a lighter one by turns; the faces of a room are half a check inside them."""
    odd = np.floor(local / CHECK_M + 0.5).sum(axis=1) % 2 == 1
    return np.where(odd[:, None], rgb, 1 - LIGHTER * (1 - np.asarray(rgb)))


def _write_scan(folder: Path, name: str, room: NearFar) -> None:
    frames = []
    for number, (picture, depth, pose) in enumerate(zip(room.pictures, room.depths, room.poses, strict=True)):
        paths = {kind: f"{name}/{kind}/{number:06d}.png" for kind in ("colour", "depth")}
        for kind, content in (("colour", picture), ("depth", depth)):
            write_whole(folder / paths[kind], content)
        camera = Camera(
            width=LENS.width,
            height=LENS.height,
            fx=LENS.focal,
            fy=LENS.focal,
            cx=LENS.centre[0],
            cy=LENS.centre[1],
            camera_to_world=tuple(pose.ravel().tolist()),
            world=name,
        )
        frames.append(ScanFrame(frame_id=f"{number:06d}", image=paths["colour"], depth=paths["depth"], camera=camera))
    write_json(folder / name / "scan.json", Scan(scan_id=name, dataset="rooms", frames=tuple(frames), floor_z_m=0.0, fps=1.0))


def _questions(number: int, metres: tuple[float, float, float]) -> list[dict[str, object]]:
    name = room_name(number)
    left, right, middle = metres
    said = (
        ("nearer", "camera_obj_rel_dist", NEARER, "A" if left < right else "B"),
        ("far", "camera_obj_abs_dist", HOW_FAR, f"{middle:.1f}"),
    )
    return [
        {
            "id": f"{name}-{key}",
            "video": f"{name}/colour",
            "scene_name": name,
            "question_type": kind,
            "conversations": [{"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}],
        }
        for key, kind, question, answer in said
    ]


def _check_request(asked: NearFarRecord, workers: int) -> None:
    limits = {
        "num_train": (asked.num_train, 1, MAX_ROOMS),
        "num_validation": (asked.num_validation, 1, MAX_ROOMS),
        "num_train + num_validation": (asked.num_train + asked.num_validation, 2, MAX_ROOMS),
        "seed": (asked.seed, 0, 2**63 - 1),
        "workers": (workers, 1, 1024),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise InputError(f"demo rooms: {name} is {value}; expected {least} to {most}.")


def _is_there(root: Path, asked: NearFarRecord) -> bool:
    if not root.exists():
        return False
    path = root / RECORD
    if not path.is_file():
        raise InputError(f"{root} is there, but has no {RECORD}: it is no folder of demo rooms. Choose another folder.")
    found = read_json(path, NearFarRecord)
    if found != asked:
        raise InputError(f"{root} holds rooms made with {found}, asked for are {asked}. Choose another folder, or delete this one.")
    return True


def scans_of(root: Path, numbers: Sequence[int]) -> list[Scan]:
    """The records of rooms; raises as `files.read_json`."""
    return [read_json(root / room_name(number) / "scan.json", Scan) for number in numbers]
