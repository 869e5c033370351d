"""What the masks of a scene say: which object is visible in which view, which is not, and where that is unknown.

A view is *visible* if its own mask covers at least `min_area` of the picture, *absent* if its own mask has no pixel, *ambiguous*
between the two, and *unknown* (a ledger entry) if the mask is missing, unreadable or of another size. Another object's file proves
nothing.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from jaxtyping import Bool

from sightline import media
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.camera import scale_camera
from sightline.geometry.masks import encode_mask
from sightline.tasks.pictures import Studio
from sightline.types import Camera, DepthRef, ImageRef, LedgerEntry, MaskRle, Scene, SceneObject, View

MIN_AREA = 0.0005  # of the picture; below it an object is too small to call visible (pointing reference, 11.2)

Elsewhere = Callable[[bytes], Iterator[Scene]]
State = Literal["visible", "absent", "ambiguous"]


@dataclasses.dataclass(frozen=True, eq=False)
class SeenView:
    """One view of one object with its decoded mask. `box` is half-open; `area` is the fraction of the picture."""

    view: View
    image: ImageRef
    state: State
    mask: Bool[np.ndarray, "h w"]
    rle: MaskRle
    rle_dilated: MaskRle | None
    box: tuple[float, float, float, float] | None
    area: float
    camera: Camera | None
    depth: DepthRef | None

    @property
    def view_id(self) -> str:
        return f"{self.view.view_index:02d}_{self.view.frame_id}"


@dataclasses.dataclass(frozen=True, eq=False)
class SeenObject:
    """An object and those of its views whose visibility is known or ambiguous, in view order."""

    scene_id: str
    object: SceneObject
    views: tuple[SeenView, ...]

    @property
    def unit(self) -> str:
        return f"{self.scene_id}/uid_{self.object.object_id}"


@dataclasses.dataclass(frozen=True, eq=False)
class SeenScene:
    """A scene after its masks were read; `ledger` has the reader's problems and those found here.

    `elsewhere(key)` gives other scenes of the same split, in an order that depends on the key only.
    """

    scene: Scene
    objects: tuple[SeenObject, ...]
    ledger: tuple[LedgerEntry, ...]
    elsewhere: Elsewhere

    def others_at(self, frame_id: str, besides: SeenObject) -> Iterator[tuple[SeenObject, SeenView]]:
        """The other objects of the scene in the same frame."""
        for other in self.objects:
            if other is not besides:
                for view in other.views:
                    if view.view.frame_id == frame_id:
                        yield other, view


def see_scene(scene: Scene, studio: Studio, *, elsewhere: Elsewhere, min_area: float = MIN_AREA) -> SeenScene:
    """Read all masks of a scene. Files that cannot be used become ledger entries that name them."""
    ledger = list(scene.problems)
    objects = []
    for item in scene.objects:
        views = []
        for view in item.views:
            unit = f"{scene.scene_id}/uid_{item.object_id}/{view.view_index:02d}_{view.frame_id}"
            if view.mask is None:
                ledger.append(LedgerEntry(unit=unit, reason="mask_missing", detail="visibility unknown", path=view.image))
                continue
            try:
                views.append(_see_view(view, studio, min_area, unit, ledger))
            except InputError as error:
                ledger.append(LedgerEntry(unit=unit, reason="unreadable", detail=str(error), path=view.image))
        objects.append(SeenObject(scene_id=scene.scene_id, object=item, views=tuple(views)))
    return SeenScene(scene=scene, objects=tuple(objects), ledger=tuple(ledger), elsewhere=elsewhere)


def _see_view(view: View, studio: Studio, min_area: float, unit: str, ledger: list[LedgerEntry]) -> SeenView:
    assert view.mask is not None
    image = studio.original(view.image)
    mask = read_view_mask(view.mask, image, studio)
    dilated = None
    if view.mask_dilated:
        try:
            dilated = read_view_mask(view.mask_dilated, image, studio)
        except InputError as error:
            ledger.append(
                LedgerEntry(unit=unit, reason="dilated_mask_unusable", detail=str(error), action="altered", path=view.mask_dilated)
            )
    depth = DepthRef(root="data", path=view.depth, metres_per_unit=view.metres_per_unit) if view.depth else None
    if depth is not None:
        try:
            _check_depth(depth, image, studio)
        except InputError as error:
            ledger.append(LedgerEntry(unit=unit, reason="depth_unusable", detail=str(error), action="altered", path=depth.path))
            depth = None
    count = int(np.count_nonzero(mask))
    area = count / mask.size
    return SeenView(
        view=view,
        image=image,
        state="absent" if count == 0 else "visible" if area >= min_area else "ambiguous",
        mask=mask,
        rle=encode_mask(mask),
        rle_dilated=encode_mask(dilated) if dilated is not None else None,
        box=mask_to_box(mask),
        area=area,
        camera=scale_camera(view.camera, image.width, image.height) if view.camera else None,
        depth=depth,
    )


def _check_depth(depth: DepthRef, image: ImageRef, studio: Studio) -> None:
    height, width = studio.depth(depth).shape
    if (width, height) != (image.width, image.height):
        raise InputError(
            f"{depth.path}: depth of {width}x{height} for a picture of {image.width}x{image.height}; register it to the picture."
        )


def read_view_mask(path: str, image: ImageRef, studio: Studio) -> Bool[np.ndarray, "h w"]:
    """A mask of a picture.

    Raises:
        FileNotFoundError, InputError: no such file, unreadable, or of another size than the picture.
    """
    mask = media.read_mask(inside(studio.root, path))
    if mask.shape != (image.height, image.width):
        raise InputError(
            f"{path}: mask of {mask.shape[1]}x{mask.shape[0]} for a picture of {image.width}x{image.height} ({image.path}). "
            "Masks are never resized silently: export it again at the picture's size."
        )
    return mask
