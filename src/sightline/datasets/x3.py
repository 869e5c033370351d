"""The x3 layout: five views of one object a folder, each with its mask and the same view with the object painted away.

    {root}/{train|validation}/{scene}/uid_{uid}/
        01_001230_original.png        kk = 01.., frame id
        01_001230_inpainted.png       optional
        01_001230_mask.png            missing = visibility unknown; no set pixel = not visible
        01_001230_mask_dialated.png   optional; the misspelling is the published one, `mask_dilated` is read too
        01_001230_control.png         optional; the object stays, a random-shaped place elsewhere is painted away
        01_001230_painted.png         optional; mask of all that is painted away in `inpainted`, where that is several objects
        01_001230_depth.png           optional, 16 bit; 01_001230_inpainted_depth.png belongs to the inpainted picture
        01_001230_pose.txt            optional, 4x4 camera to world, OpenCV axes, metres
        intrinsics.json               optional, here or in the scene folder: width, height, fx, fy, cx, cy,
                                      metres_per_unit (0.001), pixel_centre (0.5: cx is in continuous pixels; 0.0: 0.5 is added)
        {scene}_uid_{uid}_five_frames.json   optional: label and full-resolution box of each view

Surprises: the same frame stands in several uid folders, so an object is (scene, frame, uid); boxes in the JSON are in the pixels
of the full-resolution capture (img_w x img_h) even where the pictures are a third of it; path fields of the JSON may be absolute
paths of another machine and are not used: files are found by their names. Source: the builder of Solvement/RoboRefer-FineTuning.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from sightline.datasets import check_split
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.geometry.camera import check_pose
from sightline.types import Camera, LedgerEntry, Scene, SceneObject, View

SPLITS = ("train", "validation")
PICTURE = re.compile(
    r"(?P<kk>\d{1,4})_(?P<frame>\d{1,12})_(?P<what>original|inpainted|control|painted|mask|mask_dialated|mask_dilated|depth|inpainted_depth|pose)"
    r"\.(png|txt)"
)


class Intrinsics(msgspec.Struct, frozen=True):
    """`intrinsics.json`."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    metres_per_unit: float = 0.001
    pixel_centre: float = 0.5


class FiveFramesItem(msgspec.Struct, frozen=True):
    """One item of a five_frames JSON; fields we do not use are ignored."""

    scene_id: str
    uid: int | str
    frame_id: int | str
    label: str | None = None
    img_w: int | None = None
    img_h: int | None = None
    x0: float | None = None
    y0: float | None = None
    x1: float | None = None
    y1: float | None = None


class X3:
    """Scenes of one split of an x3 tree.

    Raises:
        FileNotFoundError: no such root or split folder.
        InputError: the split holds no scene.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        self._scenes = [path.name for path in _folders(root / split)]
        if not self._scenes:
            raise InputError(f"{root / split} is empty: expected {split}/{{scene}}/uid_{{uid}}/ folders.")

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The split folders under `root`: `train`, `validation`, or both."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the root that holds train/ and validation/.")
        found = [split for split in SPLITS if (root / split).is_dir()]
        if not found:
            raise InputError(f"{root} is not an x3 tree: expected the folder train/ or validation/ in it.")
        return found

    def __len__(self) -> int:
        return len(self._scenes)

    def __iter__(self) -> Iterator[Scene]:
        return (self[index] for index in range(len(self)))

    def scene_ids(self) -> list[str]:
        return list(self._scenes)

    def __getitem__(self, index: int) -> Scene:
        scene_id = self._scenes[index]
        problems: list[LedgerEntry] = []
        folders = [path for path in _folders(self.root / self.split / scene_id) if path.name.startswith("uid_")]
        if not folders:
            problems.append(LedgerEntry(unit=scene_id, reason="scene_empty", detail="no uid_{uid} folder in it"))
        objects = []
        for folder in sorted(folders, key=lambda path: _natural(path.name)):
            try:
                objects.append(self._read_object(folder, scene_id, problems))
            except InputError as error:
                unit = f"{scene_id}/{folder.name}"
                path = folder.relative_to(self.root).as_posix()
                problems.append(LedgerEntry(unit=unit, reason="annotation_unreadable", detail=str(error), path=path))
        return Scene(scene_id=scene_id, split=self.split, objects=tuple(objects), problems=tuple(problems))

    def _read_object(self, folder: Path, scene_id: str, problems: list[LedgerEntry]) -> SceneObject:
        inside(self.root, folder.relative_to(self.root).as_posix())
        uid = folder.name.removeprefix("uid_")
        items = self._read_annotations(folder, scene_id, uid)
        intrinsics = _read_intrinsics(folder)
        views = []
        for (kk, frame), files in sorted(self._group_files(folder).items()):
            unit = f"{scene_id}/uid_{uid}/{kk:02d}_{frame}"
            if "original" not in files:
                problems.append(LedgerEntry(unit=unit, reason="original_missing", detail=f"it has {', '.join(sorted(files))}"))
                continue
            camera = None
            if "pose" in files and intrinsics is not None:
                try:
                    camera = _read_camera(self.root / files["pose"], intrinsics, scene_id)
                except InputError as error:
                    problems.append(
                        LedgerEntry(unit=unit, reason="pose_invalid", detail=str(error), action="altered", path=files["pose"])
                    )
            views.append(_view(kk, frame, files, items.get(int(frame)), camera, intrinsics))
        labels = sorted({item.label for item in items.values() if item.label})
        if len(labels) > 1:
            raise InputError(f"{folder}: one object has several labels in its five_frames JSON: {', '.join(labels)}.")
        return SceneObject(object_id=uid, label=labels[0] if labels else None, views=tuple(views))

    def _group_files(self, folder: Path) -> dict[tuple[int, str], dict[str, str]]:
        grouped: dict[tuple[int, str], dict[str, str]] = {}
        where = folder.relative_to(self.root).as_posix()
        for name in sorted(path.name for path in folder.iterdir()):
            match = PICTURE.fullmatch(name)
            if match is None:
                continue
            relative = f"{where}/{name}"
            inside(self.root, relative)
            what = "mask_dilated" if match["what"] == "mask_dialated" else match["what"]
            grouped.setdefault((int(match["kk"]), match["frame"]), {})[what] = relative
        return grouped

    def _read_annotations(self, folder: Path, scene_id: str, uid: str) -> dict[int, FiveFramesItem]:
        path = folder / f"{scene_id}_uid_{uid}_five_frames.json"
        if not path.is_file():
            return {}
        items = read_json(path, list[FiveFramesItem], max_bytes=2**22)
        for item in items:
            if item.scene_id != scene_id or str(item.uid) != uid:
                raise InputError(f"{path}: it describes object {item.uid} of scene {item.scene_id}, not {uid} of {scene_id}.")
            if not str(item.frame_id).isdecimal():
                raise InputError(f"{path}: frame_id {item.frame_id!r} is not a number.")
        return {int(item.frame_id): item for item in items}


def _view(
    kk: int, frame: str, files: dict[str, str], item: FiveFramesItem | None, camera: Camera | None, intrinsics: Intrinsics | None
) -> View:
    box = size = None
    if item and item.x0 is not None and item.y0 is not None and item.x1 is not None and item.y1 is not None:
        box = (item.x0, item.y0, item.x1, item.y1)
    if item and item.img_w and item.img_h:
        size = (item.img_w, item.img_h)
    return View(
        view_index=kk,
        frame_id=frame,
        image=files["original"],
        mask=files.get("mask"),
        mask_dilated=files.get("mask_dilated"),
        inpainted=files.get("inpainted"),
        control=files.get("control"),
        painted=files.get("painted"),
        depth=files.get("depth"),
        inpainted_depth=files.get("inpainted_depth"),
        metres_per_unit=intrinsics.metres_per_unit if intrinsics else 0.001,
        camera=camera,
        box_full=box,
        box_full_size=size,
    )


def _read_intrinsics(folder: Path) -> Intrinsics | None:
    for path in (folder / "intrinsics.json", folder.parent / "intrinsics.json"):
        if path.is_file():
            found = read_json(path, Intrinsics, max_bytes=2**16)
            if min(found.width, found.height) <= 0 or not found.fx or not found.fy or found.metres_per_unit <= 0:
                raise InputError(f"{path}: width, height, fx, fy and metres_per_unit must not be zero or negative (fy may be < 0).")
            return found
    return None


def _read_camera(path: Path, intrinsics: Intrinsics, world: str) -> Camera:
    """Raises InputError if the pose is not a rigid 4x4 transform of finite numbers."""
    text = path.read_text(errors="replace")[:4096]
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError as error:
        raise InputError(f"{path}: not a number: {error}. Expected a 4x4 camera-to-world matrix.") from error
    if len(numbers) != 16:
        raise InputError(f"{path}: {len(numbers)} numbers; expected the 16 of a 4x4 camera-to-world matrix.")
    try:
        check_pose(np.array(numbers).reshape(4, 4))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    shift = 0.5 - intrinsics.pixel_centre
    return Camera(
        width=intrinsics.width,
        height=intrinsics.height,
        fx=intrinsics.fx,
        fy=intrinsics.fy,
        cx=intrinsics.cx + shift,
        cy=intrinsics.cy + shift,
        camera_to_world=tuple(numbers),
        world=world,
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")), key=lambda path: path.name
    )


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name))
