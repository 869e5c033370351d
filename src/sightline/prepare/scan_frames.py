"""The pictures of a scan's frames in their new size, with the frame's record as it then is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import msgspec
import numpy as np
from jaxtyping import UInt8, UInt16

from sightline import media, picture_header
from sightline.datasets.scans.pixels import ScanPixels
from sightline.errors import InputError
from sightline.geometry.camera import scale_camera
from sightline.label_png import encode_label_png
from sightline.prepare.mask_overlap import Overlap, compared, overlap
from sightline.prepare.scan_masks import MeshLabels, has_labels
from sightline.types import LedgerEntry, Scan, ScanFrame

Size = tuple[int, int]


class FrameWriter:
    """Encodes the frames of one scan; what is dropped or altered is in `ledger` afterwards, and how well its instance pictures fit
    its mesh in `overlaps`. `last_index` is the number of the last frame of the video, where the poses are of all of its frames."""

    def __init__(self, scan: Scan, root: Path, *, size: Size | None, masks: bool, last_index: int | None = None) -> None:
        self.scan = scan
        self.root = root
        self.size = size
        self.masks = masks
        self.last_index = last_index
        self.ledger: list[LedgerEntry] = []
        self.overlaps: list[Overlap] = []
        self._compared = {scan.frames[place].frame_id for place in compared(len(scan.frames))}

    def pictures(self) -> Iterator[tuple[ScanFrame, dict[str, bytes]]]:
        """Each frame that can be read, its paths and cameras those of the new pictures; and these, by name in the scan's folder."""
        mesh = MeshLabels(self.scan, self.root) if self.masks and has_labels(self.scan) else None
        with ScanPixels(self.scan, self.root) as pixels:
            for frame in self.scan.frames:
                try:
                    colour, suffix, size = self._colour(pixels, frame)
                except (InputError, FileNotFoundError) as error:
                    self._note(frame, "unreadable", str(error), action="dropped")
                    continue
                yield self._encoded(pixels, frame, mesh, colour=(colour, suffix), size=size)
            self._look_behind_the_last(pixels)

    def _encoded(
        self, pixels: ScanPixels, frame: ScanFrame, mesh: MeshLabels | None, *, colour: tuple[bytes, str], size: Size
    ) -> tuple[ScanFrame, dict[str, bytes]]:
        camera = None if frame.camera is None else scale_camera(frame.camera, *size)
        names = {"image": f"colour/{frame.frame_id}{colour[1]}"}
        files = {names["image"]: colour[0]}
        depth = self._depth(pixels, frame, size)
        depth_camera = None
        if depth is not None:
            names["depth"] = f"depth/{frame.frame_id}.png"
            files[names["depth"]] = media.encode_grey_png(depth)
            if frame.depth_camera is not None:
                depth_camera = scale_camera(frame.depth_camera, depth.shape[1], depth.shape[0])
        placed = msgspec.structs.replace(frame, camera=camera)
        labels = self._labels(pixels, placed, mesh) if self.masks else None
        if labels is not None:
            names["instances"] = f"instances/{frame.frame_id}.png"
            files[names["instances"]] = encode_label_png(labels)
            if mesh is not None and camera is not None and frame.instances is not None and frame.frame_id in self._compared:
                self.overlaps.append(overlap(labels, mesh.seen_by(camera)))
        record = ScanFrame(
            frame_id=frame.frame_id,
            metres_per_unit=frame.metres_per_unit,
            camera=camera,
            depth_camera=depth_camera,
            timestamp_s=frame.timestamp_s,
            image=f"{self.scan.scan_id}/{names['image']}",
            depth=f"{self.scan.scan_id}/{names['depth']}" if "depth" in names else None,
            instances=f"{self.scan.scan_id}/{names['instances']}" if "instances" in names else None,
        )
        return record, files

    def _colour(self, pixels: ScanPixels, frame: ScanFrame) -> tuple[bytes, str, Size]:
        """The encoded picture, its suffix and its size."""
        if frame.camera is not None:
            own = (frame.camera.width, frame.camera.height)
            if self._wanted(own) == own and (stored := pixels.stored_colour(frame)) is not None:
                header = picture_header.probe(picture_header.Content(f"{frame.image}, frame {frame.frame_id}", stored[0]))
                if (header.width, header.height) == own:
                    return stored[0], stored[1], own
        rgb = pixels.rgb(frame)
        size = self._wanted((rgb.shape[1], rgb.shape[0]))
        if size != rgb.shape[1::-1]:
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        return media.encode_jpeg(rgb), ".jpg", size

    def _wanted(self, own: Size) -> Size:
        if self.size is None:
            return own
        portrait = (own[0] < own[1]) != (self.size[0] < self.size[1])
        return (self.size[1], self.size[0]) if portrait else self.size

    def _depth(self, pixels: ScanPixels, frame: ScanFrame, size: Size) -> UInt16[np.ndarray, "h w"] | None:
        try:
            depth = pixels.depth_units(frame)
        except (InputError, FileNotFoundError) as error:
            self._note(frame, "depth_unusable", str(error), action="altered")
            return None
        if depth is not None and depth.shape[1] > size[0]:
            return cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return depth

    def _labels(self, pixels: ScanPixels, frame: ScanFrame, mesh: MeshLabels | None) -> UInt8[np.ndarray, "h w"] | None:
        if frame.instances is not None:
            try:
                return pixels.instances(frame)
            except (InputError, FileNotFoundError) as error:
                self._note(frame, "masks_unusable", str(error), action="altered")
                return None
        return mesh.seen_by(frame.camera) if mesh is not None and frame.camera is not None else None

    def _look_behind_the_last(self, pixels: ScanPixels) -> None:
        """A video that goes on where the poses end does not belong to them, or they were cut."""
        if self.scan.frames and self.last_index is not None and pixels.goes_on_after(self.scan.frames[-1].image, self.last_index):
            detail = f"the last pose is of frame {self.last_index}, the video has more. Get the video and its pose file again."
            self._note(self.scan.frames[-1], "frames_without_pose", detail, action="altered")

    def _note(self, frame: ScanFrame, reason: str, detail: str, *, action: Literal["dropped", "altered"]) -> None:
        unit = f"{self.scan.scan_id}/{frame.frame_id}"
        self.ledger.append(LedgerEntry(unit=unit, reason=reason, detail=detail, action=action, path=frame.image))
