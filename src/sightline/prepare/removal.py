"""x3 units of one view from real removals, whose mask exists only as a tint in a copy of the photo.

The tinted copy and the result may be up to two pixels smaller or larger than the photo, and then cut off at any side: the shift is
the one at which most pixels agree, and all three are cropped to what they share. The mask is where tinted copy and photo differ,
opened and closed, with its holes filled and specks removed; it is what the tool painted away, so no dilated mask is written.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from jaxtyping import Bool, UInt8

from sightline import media
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import mask_to_box
from sightline.prepare.run import Outcome, PreparedTree, SplitOptions, Unit, prepare
from sightline.prepare.x3_tree import five_frames_item, mask_png, scene_folder
from sightline.types import LedgerEntry, RemovalTriple

MAX_SIZE_DIFFERENCE = 2
DIFFERS = 24  # of 255 in any channel: above the noise of JPEG, below a tint of any use
CAP = 30  # differences above this count alike when pictures are aligned, so that the tint does not decide
SPECK = 0.05  # of the largest part of the mask
MAX_SHARE = 0.9
MIN_CHANGED = 0.5  # of the mask's pixels must differ between photo and result
VIEW_ID = "01_000001"
UID = "1"


def prepare_removals(
    triples: Sequence[RemovalTriple],
    root: Path,
    out: Path,
    *,
    split_options: SplitOptions,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> PreparedTree:
    """Write the scenes of all removals that are not there yet.

    Raises:
        InputError: as `run.prepare`.
    """
    units = [
        Unit(unit_id=triple.removal_id, content=msgspec.json.encode(triple), files=(triple.photo, triple.overlay, triple.removed))
        for triple in triples
    ]
    options = msgspec.structs.asdict(split_options)
    return prepare(
        units,
        root,
        out,
        kind="removal",
        work=_prepare_removal,
        split_options=split_options,
        options=options,
        workers=workers,
        on_progress=on_progress,
    )


def derive_mask(photo: UInt8[np.ndarray, "h w 3"], tinted: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Where the tinted copy differs from the photo, cleaned.

    Raises:
        InputError: nothing differs, or nearly everything.
    """
    differs = (cv2.absdiff(photo, tinted).max(axis=2) > DIFFERS).astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    differs = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    outlines, _ = cv2.findContours(differs, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(differs)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(filled)
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.flatnonzero(areas >= SPECK * areas.max(initial=0)) + 1
    mask = np.isin(parts, kept)
    share = float(mask.mean())
    if not 0 < share <= MAX_SHARE:
        raise InputError(
            f"the tinted copy differs from the photo in {share:.1%} of the pixels (after cleaning); expected an object of "
            f"at most {MAX_SHARE:.0%}. Is it a copy of this photo, at its size?"
        )
    return mask


def find_shift(photo: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h2 w2 3"]) -> tuple[int, int]:
    """(dx, dy) such that pixel (x, y) of `other` is (x + dx, y + dy) of the photo; 0 along a side where the sizes are equal.

    Raises:
        InputError: a side differs by more than MAX_SIZE_DIFFERENCE.
    """
    gaps = (photo.shape[1] - other.shape[1], photo.shape[0] - other.shape[0])
    if max(map(abs, gaps)) > MAX_SIZE_DIFFERENCE:
        raise InputError(
            f"{other.shape[1]}x{other.shape[0]} for a photo of {photo.shape[1]}x{photo.shape[0]}; "
            f"differences of up to {MAX_SIZE_DIFFERENCE} pixels are cropped. Export it at the photo's size."
        )
    shifts = [(dx, dy) for dy in _between(gaps[1]) for dx in _between(gaps[0])]
    return min(shifts, key=lambda shift: _disagreement(photo, other, shift))


def _between(gap: int) -> range:
    return range(min(gap, 0), max(gap, 0) + 1)


def _disagreement(photo: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h2 w2 3"], shift: tuple[int, int]) -> float:
    window = _shared([photo.shape[:2], other.shape[:2]], [(0, 0), shift])
    a, b = _crop(photo, window, (0, 0)), _crop(other, window, shift)
    return float(np.minimum(cv2.absdiff(a, b), CAP).mean())


def _shared(sizes: Sequence[tuple[int, ...]], shifts: Sequence[tuple[int, int]]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 in pixels of the photo: what all pictures of these (height, width) and shifts hold."""
    x0, y0 = (max(shift[axis] for shift in shifts) for axis in (0, 1))
    x1 = min(size[1] + shift[0] for size, shift in zip(sizes, shifts, strict=True))
    y1 = min(size[0] + shift[1] for size, shift in zip(sizes, shifts, strict=True))
    return x0, y0, x1, y1


def _crop(
    picture: UInt8[np.ndarray, "h w 3"], window: tuple[int, int, int, int], shift: tuple[int, int]
) -> UInt8[np.ndarray, "h2 w2 3"]:
    x0, y0, x1, y1 = window
    return np.ascontiguousarray(picture[y0 - shift[1] : y1 - shift[1], x0 - shift[0] : x1 - shift[0]])


def _prepare_removal(content: bytes, root: Path, out: Path, place: str) -> Outcome:
    triple = msgspec.json.decode(content, type=RemovalTriple)
    ledger: list[LedgerEntry] = []
    try:
        photo, tinted, removed = _aligned(triple, root, ledger)
        mask = derive_mask(photo, tinted)
        _check_removed(mask, photo, removed)
    except (InputError, FileNotFoundError) as error:
        detail = f"{triple.overlay}: {error}"
        ledger.append(LedgerEntry(unit=triple.removal_id, reason="removal_unusable", detail=detail, path=triple.overlay))
        return Outcome(ledger=tuple(ledger))
    with scene_folder(out, place) as folder:
        folder.write(UID, f"{VIEW_ID}_original.png", media.encode_png(photo))
        folder.write(UID, f"{VIEW_ID}_inpainted.png", media.encode_png(removed))
        folder.write(UID, f"{VIEW_ID}_mask.png", mask_png(mask))
        size = (photo.shape[1], photo.shape[0])
        item = five_frames_item(
            scene_id=triple.removal_id, uid=UID, view_id=VIEW_ID, label=None, size=size, box=mask_to_box(mask), place=place
        )
        folder.write_items(UID, triple.removal_id, [item])
    return Outcome(num_objects=1, num_views=1, ledger=tuple(ledger))


def _aligned(triple: RemovalTriple, root: Path, ledger: list[LedgerEntry]) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Photo, tinted copy and result, cropped to what they share."""
    paths = (triple.photo, triple.overlay, triple.removed)
    pictures = [media.read_rgb(inside(root, path)) for path in paths]
    shifts = [(0, 0)]
    for path, picture in zip(paths[1:], pictures[1:], strict=True):
        try:
            shifts.append(find_shift(pictures[0], picture))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    window = _shared([picture.shape[:2] for picture in pictures], shifts)
    cropped = f"{window[2] - window[0]}x{window[3] - window[1]}"
    for path, picture, shift in zip(paths[1:], pictures[1:], shifts[1:], strict=True):
        if picture.shape != pictures[0].shape:
            sizes = f"{picture.shape[1]}x{picture.shape[0]} for a photo of {pictures[0].shape[1]}x{pictures[0].shape[0]}"
            detail = f"{sizes}; its pixels agree best when moved by {shift}; all are cropped to {cropped}"
            ledger.append(LedgerEntry(unit=triple.removal_id, reason="size_off_by_one", detail=detail, action="altered", path=path))
    return [_crop(picture, window, shift) for picture, shift in zip(pictures, shifts, strict=True)]


def _check_removed(mask: Bool[np.ndarray, "h w"], photo: UInt8[np.ndarray, "h w 3"], removed: UInt8[np.ndarray, "h w 3"]) -> None:
    changed = float((cv2.absdiff(photo, removed).max(axis=2) > 0)[mask].mean())
    if changed < MIN_CHANGED:
        raise InputError(
            f"only {changed:.0%} of the tinted pixels differ between photo and result; expected at least {MIN_CHANGED:.0%}. "
            "The tint and the result are not of one removal."
        )
