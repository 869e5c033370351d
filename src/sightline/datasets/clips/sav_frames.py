"""Where the frames of SA-V videos lie once they are extracted: JPEGImages_{rate}fps/{video}/00000.jpg below the root.

A file's number is that of the decoded frame, as in the published val and test sets (JPEGImages_24fps), whatever the rate: at 6
frames a second there are 00000, 00004, 00008. So folders of several rates can stand side by side.
"""

import re
from pathlib import Path

from sightline.datasets.clips.frame_folders import numbered_files

VIDEO_FPS = 24
LABEL_STEP = 4  # masks stand at every fourth decoded frame
LABEL_FPS = VIDEO_FPS / LABEL_STEP
FOLDER = re.compile(r"JPEGImages_(?P<rate>\d{1,3}(\.\d{1,6})?)fps")


def frames_folder(fps: float) -> str:
    """The name of the folder that frames of this rate are written to."""
    return f"JPEGImages_{fps:g}fps"


def extracted_folders(root: Path) -> list[str]:
    """The folders of extracted frames: first those with a picture for every mask, the slowest first, then the others."""
    rates = {path.name: float(found["rate"]) for path in root.iterdir() if (found := FOLDER.fullmatch(path.name)) and path.is_dir()}
    return sorted(rates, key=lambda name: (not covers_labels(name), rates[name] if covers_labels(name) else -rates[name]))


def covers_labels(folder: str) -> bool:
    """Whether frames of the folder's rate include every frame with masks."""
    found = FOLDER.fullmatch(folder)
    return found is not None and float(found["rate"]) > 0 and float(found["rate"]) % LABEL_FPS == 0


def extracted_images(root: Path, folders: list[str], video_id: str) -> tuple[str | None, dict[int, str]]:
    """The first of `folders` that has this video, and its pictures by number of decoded frame; None and {} if none has.

    Raises:
        InputError: a folder leads out of the root.
    """
    for folder in folders:
        if (root / folder / video_id).is_dir():
            return folder, numbered_files(root, f"{folder}/{video_id}", ".jpg")
    return None, {}
