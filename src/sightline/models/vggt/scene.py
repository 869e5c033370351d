"""A scene's frames through VGGT, written as a prepared scan: for co-visibility, sampling and questions where no sensor saw depth.

    OUT/{scan}/scan.json           a `Scan` as `sightline prepare scan` writes it, cameras and all (docs/scans.md)
    OUT/{scan}/colour/000012.png   the frame as the network saw it: 518 wide, sides multiples of 14
    OUT/{scan}/depth/000012.png    16 bits, in the size of the colour picture
    OUT/{scan}/geometry.npz        points (S, H, W, 3) in the world, points_confidence and depth_confidence (S, H, W), float32
    OUT/{scan}/geometry.json       what it was made with

The network's unit of length is its own: no metres, and another in each scene. `metres_per_unit` brings it to metres where one
length is known; else the scan says so in its `problems`. The world is the first frame's camera, so no axis of it points up.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from sightline.errors import InputError
from sightline.files import only_writer, read_json, whole_folder, write_json, write_whole
from sightline.media import encode_grey_png, encode_png
from sightline.models.vggt.model import Vggt
from sightline.models.vggt.pictures import Mode, prepare_pictures
from sightline.models.vggt.sources import open_source
from sightline.types import Camera, LedgerEntry, Record, Scan, ScanFrame
from sightline.types.scans import SCALE_UNKNOWN

MOST_DEPTH = 65_535
SAMPLE = 64


class SceneOptions(Record):
    """`max_frames` of the source, spread evenly. `metres_per_unit`: the length of the network's unit, None where it is not known.
    `min_confidence`: depth less sure than that is left out (confidences begin at 1)."""

    max_frames: int = 32
    mode: Mode = "crop"
    metres_per_unit: float | None = None
    min_confidence: float = 0.0

    def check(self) -> None:
        """Raises InputError if a number is out of its range."""
        if self.max_frames < 1 or self.min_confidence < 0 or (self.metres_per_unit is not None and not self.metres_per_unit > 0):
            raise InputError(
                f"--max-frames {self.max_frames}, --min-confidence {self.min_confidence:g}, --metres-per-unit "
                f"{self.metres_per_unit}: expected at least 1 frame, a confidence of 0 or more, and a length above 0."
            )


class SceneRecord(Record):
    """`geometry.json`. `source`: a digest of the frames; `weights`: of the network."""

    options: SceneOptions
    source: str
    weights: str
    dtype: str


class SceneDone(Record):
    """What is there; `new` unless it was there before."""

    path: str
    num_frames: int
    new: bool


def write_scene(
    source: Path, model: Vggt, out: Path, *, options: SceneOptions, on_progress: Callable[[int, int], None] | None = None
) -> SceneDone:
    """Make the scan of `source`, a folder of pictures or a video, unless it is there.

    Raises:
        FileNotFoundError: no such source.
        InputError: no frames in it, an option out of range, or `out` holds this scan made otherwise.
    """
    options.check()
    report = on_progress or (lambda *_: None)
    report(0, 3)
    found = open_source(source)
    numbers = _spread(found.num_frames, options.max_frames)
    pictures = found.read(numbers)
    record = SceneRecord(
        options=options, source=_digest(pictures), weights=digest_of(model), dtype=str(model.aggregator.camera_token.dtype)
    )
    scan_id = found.name
    target = out / scan_id
    with only_writer(out):
        if target.exists():
            _check_same(target, record)
            return SceneDone(path=str(target), num_frames=len(pictures), new=False)
        report(1, 3)
        images = prepare_pictures(pictures, mode=options.mode)
        with torch.inference_mode():
            geometry = model(torch.from_numpy(images)[None].to(model.aggregator.camera_token.device))
        arrays = {name: value[0].float().cpu().numpy() for name, value in vars(geometry).items() if name != "poses"}
        report(2, 3)
        with whole_folder(target) as folder:
            write_json(folder / "geometry.json", record)
            arrays["points"] = arrays["points"] * (options.metres_per_unit or 1.0)
            _write_arrays(folder, arrays)
            times = [(number, None if found.rate is None else number / found.rate) for number in numbers]
            write_json(folder / "scan.json", _write_frames(folder, scan_id, times, images, arrays=arrays, options=options))
    report(3, 3)
    return SceneDone(path=str(target), num_frames=len(pictures), new=True)


def _spread(total: int, most: int) -> list[int]:
    return [place * total // min(most, total) for place in range(min(most, total))]


def _check_same(target: Path, record: SceneRecord) -> None:
    path = target / "geometry.json"
    found = read_json(path, SceneRecord) if path.is_file() else None
    if found != record:
        other = (
            "something else"
            if found is None
            else ", ".join(name for name in record.__struct_fields__ if getattr(found, name) != getattr(record, name))
        )
        raise InputError(f"{target} is there, made with other {other}. Choose another --out, or delete the folder.")


def _write_arrays(folder: Path, arrays: dict[str, Any]) -> None:
    content = io.BytesIO()
    names = ("points", "points_confidence", "depth_confidence")
    np.savez_compressed(content, **{name: arrays[name] for name in names})
    write_whole(folder / "geometry.npz", content.getvalue())


def _write_frames(
    folder: Path,
    scan_id: str,
    numbers: list[tuple[int, float | None]],
    images: Float[np.ndarray, "s 3 h w"],
    *,
    arrays: dict[str, Any],
    options: SceneOptions,
) -> Scan:
    """Write colour and depth; the record that belongs to them."""
    length = options.metres_per_unit or 1.0
    sure = np.isfinite(arrays["depth"]) & (arrays["depth_confidence"] >= options.min_confidence)
    depth = np.where(sure, arrays["depth"], 0) * length
    unit = float(depth.max()) / MOST_DEPTH or length / MOST_DEPTH
    records = []
    for place, (number, time) in enumerate(numbers):
        name = f"{number:06d}.png"
        pixels = np.ascontiguousarray(np.rint(images[place].transpose(1, 2, 0) * 255).astype(np.uint8))
        write_whole(folder / "colour" / name, encode_png(pixels))
        write_whole(folder / "depth" / name, encode_grey_png(np.rint(depth[place] / unit).astype(np.uint16)))
        camera = _camera(arrays["extrinsics"][place], arrays["intrinsics"][place], pixels.shape[:2], length=length, world=scan_id)
        records.append(
            ScanFrame(
                frame_id=f"{number:06d}",
                image=f"{scan_id}/colour/{name}",
                depth=f"{scan_id}/depth/{name}",
                metres_per_unit=unit,
                camera=camera,
                timestamp_s=time,
            )
        )
    unknown = LedgerEntry(
        unit=scan_id, reason=SCALE_UNKNOWN, detail="lengths are in the network's own unit, not metres", action="altered"
    )
    problems = (unknown,) if options.metres_per_unit is None else ()
    return Scan(scan_id=scan_id, dataset="vggt", frames=tuple(records), z_up=False, problems=problems)


def _camera(
    extrinsics: Float[np.ndarray, "3 4"], intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, ...], *, length: float, world: str
) -> Camera | None:
    """None where the network gives no field of view."""
    if not (np.isfinite(intrinsics).all() and np.isfinite(extrinsics).all()):
        return None
    rotation, place = extrinsics[:, :3].astype(np.float64), extrinsics[:, 3].astype(np.float64) * length
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ place
    return Camera(
        width=size[1],
        height=size[0],
        fx=float(intrinsics[0, 0]),
        fy=float(intrinsics[1, 1]),
        cx=float(intrinsics[0, 2]),
        cy=float(intrinsics[1, 2]),
        camera_to_world=tuple(pose.ravel().tolist()),
        world=world,
    )


def _digest(pictures: list[UInt8[np.ndarray, "_h _w 3"]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for picture in pictures:
        digest.update(f"{picture.shape}".encode() + np.ascontiguousarray(picture).tobytes())
    return digest.hexdigest()


def digest_of(model: Vggt) -> str:
    """Of some numbers of every tensor, as a checkpoint's revision is."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        middle = tensor.flatten()[tensor.numel() // 2 :][:SAMPLE].float().cpu().numpy()
        digest.update(f"{name} {tuple(tensor.shape)}\0".encode() + middle.tobytes())
    return digest.hexdigest()
