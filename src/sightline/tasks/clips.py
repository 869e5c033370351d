"""What the masks of a clip say: where each object is in each frame, where it is not, and where that is unknown.

Three states, never mixed up: *there* (its box and area), *absent* (the frame is annotated and no pixel is its own), *unknown* (the
frame is not annotated for it, its file cannot be used, or void pixels might hide it). A frame is used only if its masks have the
size of its picture. Boxes come from label pictures and codes without a bitmap an object.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sightline import media, picture_header
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import Box, box_area, mask_to_box
from sightline.geometry.label_maps import label_masks, label_regions
from sightline.geometry.masks import encode_mask, rle_area, rle_box
from sightline.types import Clip, ClipFrame, LedgerEntry, MaskRle, Track

VOID = 255
LABEL_FRAMES_KEPT = 32


class Place(NamedTuple):
    """Where an object is in a frame: its tight box in pixels (exclusive ends), and its area in pixels."""

    box: Box
    area: float


class SeenTrack(NamedTuple):
    """One object over the frames of its clip. `places` is None where it is absent or unknown, `known` tells which."""

    track: Track
    places: tuple[Place | None, ...]
    known: tuple[bool, ...]

    @property
    def object_id(self) -> str:
        return self.track.object_id

    def absent(self, frame: int) -> bool:
        """Whether the annotation proves that the object is not in the frame."""
        return self.known[frame] and self.places[frame] is None


class SeenClip:
    """A clip after its masks were read. `sizes` is (width, height) of each frame, None where the frame cannot be used.

    Args:
        clip: as the reader gives it.
        root: what its paths are relative to.
    """

    def __init__(self, clip: Clip, root: Path) -> None:
        self.clip = clip
        self.root = root
        self._labels = lru_cache(maxsize=LABEL_FRAMES_KEPT)(self._read_label_masks)
        ledger = list(clip.problems)
        self.sizes = tuple(self._size(frame, ledger) for frame in clip.frames)
        self.tracks = tuple(self._see_tracks(ledger))
        self.ledger = tuple(ledger)

    def track(self, object_id: str) -> SeenTrack:
        """The track of an object; KeyError if the clip has none of this id."""
        for seen in self.tracks:
            if seen.object_id == object_id:
                return seen
        raise KeyError(object_id)

    def mask(self, seen: SeenTrack, frame: int) -> MaskRle | None:
        """The code of an object's mask in a frame; None where it is absent or unknown."""
        if seen.places[frame] is None:
            return None
        track = seen.track
        if track.masks:
            return track.masks[frame]
        if track.mask_paths:
            path = track.mask_paths[frame]
            assert path is not None, "a place comes from a file"
            return encode_mask(media.read_mask(inside(self.root, path)))
        assert track.label is not None, "a track has codes, files or a label"
        return self._labels(frame)[track.label]

    def _read_label_masks(self, frame: int) -> dict[int, MaskRle]:
        path = self.clip.frames[frame].labels
        assert path is not None, "a place comes from a file"
        return label_masks(media.read_labels(inside(self.root, path)))

    def _size(self, frame: ClipFrame, ledger: list[LedgerEntry]) -> tuple[int, int] | None:
        """From the picture's header, or where there is no picture from what the annotation says."""
        declared = (self.clip.width, self.clip.height) if self.clip.width and self.clip.height else None
        if frame.image is None:
            return declared
        try:
            header = picture_header.probe(inside(self.root, frame.image))
        except (InputError, FileNotFoundError) as error:
            ledger.append(self._entry(frame, "unreadable", str(error), frame.image))
            return None
        if declared and declared != (header.width, header.height):
            detail = f"the picture has {header.width}x{header.height} pixels, the annotation says {declared[0]}x{declared[1]}"
            ledger.append(self._entry(frame, "size_mismatch", detail, frame.image))
            return None
        return header.width, header.height

    def _see_tracks(self, ledger: list[LedgerEntry]) -> Iterator[SeenTrack]:
        regions = self._regions(ledger)
        tracks = self.clip.tracks or self._found_tracks(regions)
        for track in tracks:
            places: list[Place | None] = [None] * len(self.clip.frames)
            known = [False] * len(self.clip.frames)
            annotated = range(len(places)) if track.annotated is None else track.annotated
            for frame in annotated:
                if self.sizes[frame] is None and self.clip.frames[frame].image is not None:
                    continue
                places[frame], known[frame] = self._place(track, frame, regions, ledger)
            yield SeenTrack(track=track, places=tuple(places), known=tuple(known))

    def _found_tracks(self, regions: Sequence[dict[int, Place] | None]) -> list[Track]:
        """The objects of a data set that lists none: every label that some frame shows."""
        labels = sorted({label for frame in regions if frame for label in frame} - {VOID})
        return [Track(object_id=str(label), label=label, category=self.clip.categories.get(label)) for label in labels]

    def _regions(self, ledger: list[LedgerEntry]) -> list[dict[int, Place] | None]:
        """What each label picture shows; None where there is none that can be used."""
        if self.clip.tracks and all(track.label is None for track in self.clip.tracks):
            return [None] * len(self.clip.frames)
        return [self._read_regions(frame, size, ledger) for frame, size in zip(self.clip.frames, self.sizes, strict=True)]

    def _read_regions(self, frame: ClipFrame, size: tuple[int, int] | None, ledger: list[LedgerEntry]) -> dict[int, Place] | None:
        if frame.labels is None or (size is None and frame.image is not None):
            return None
        try:
            labels = media.read_labels(inside(self.root, frame.labels))
        except (InputError, FileNotFoundError) as error:
            ledger.append(self._entry(frame, "unreadable", str(error), frame.labels))
            return None
        if size is not None and labels.shape != (size[1], size[0]):
            detail = f"labels of {labels.shape[1]}x{labels.shape[0]} for a picture of {size[0]}x{size[1]}"
            ledger.append(self._entry(frame, "size_mismatch", detail, frame.labels))
            return None
        return {label: Place(region.box, region.area) for label, region in label_regions(labels).items()}

    def _place(
        self, track: Track, frame: int, regions: Sequence[dict[int, Place] | None], ledger: list[LedgerEntry]
    ) -> tuple[Place | None, bool]:
        """Where the object is in an annotated frame, and whether that is known."""
        if track.label is not None:
            shown = regions[frame]
            if shown is None:
                return None, False
            place = shown.get(track.label)
            return place, place is not None or VOID not in shown
        if track.masks:
            return self._place_of_code(track, frame, ledger)
        if track.mask_paths:
            return self._place_of_file(track, frame, ledger)
        box = track.boxes[frame] if track.boxes else None
        return (Place(box, box_area(box)), True) if box else (None, bool(track.boxes))

    def _place_of_code(self, track: Track, frame: int, ledger: list[LedgerEntry]) -> tuple[Place | None, bool]:
        rle, size = track.masks[frame], self.sizes[frame]
        if rle is None:
            return None, True
        unit = self.clip.frames[frame]
        if size is not None and (rle.width, rle.height) != size:
            detail = f"object {track.object_id}: a mask of {rle.width}x{rle.height} for a picture of {size[0]}x{size[1]}"
            ledger.append(self._entry(unit, "size_mismatch", detail, unit.image))
            return None, False
        try:
            box = rle_box(rle)
            return (Place(box, rle_area(rle)) if box else None), True
        except InputError as error:
            ledger.append(self._entry(unit, "bad_mask", f"object {track.object_id}: {error}", unit.image))
            return None, False

    def _place_of_file(self, track: Track, frame: int, ledger: list[LedgerEntry]) -> tuple[Place | None, bool]:
        path, size, unit = track.mask_paths[frame], self.sizes[frame], self.clip.frames[frame]
        if path is None:
            return None, True
        try:
            mask = media.read_mask(inside(self.root, path))
        except (InputError, FileNotFoundError) as error:
            ledger.append(self._entry(unit, "unreadable", str(error), path))
            return None, False
        if size is not None and mask.shape != (size[1], size[0]):
            detail = f"object {track.object_id}: a mask of {mask.shape[1]}x{mask.shape[0]} for a picture of {size[0]}x{size[1]}"
            ledger.append(self._entry(unit, "size_mismatch", detail, path))
            return None, False
        box = mask_to_box(mask)
        return (Place(box, int(mask.sum())) if box else None), True

    def _entry(self, frame: ClipFrame, reason: str, detail: str, path: str | None) -> LedgerEntry:
        return LedgerEntry(unit=f"{self.clip.clip_id}/{frame.frame_id}", reason=reason, detail=detail, path=path)
