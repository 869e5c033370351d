"""A tiny Spatial-MLLM with questions about clips of random frames, as a file of conversations and as samples."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Turn

QUESTIONS = (("How many rooms?", "3"), ("Where is the door?", "left"), ("Which is nearer?", "A"), ("How far is it?", "2.5"))


def frame(folder: Path, seed: int, size: tuple[int, int] = (90, 60)) -> MediaRef:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{size[0]}x{size[1]}.png"
    if not path.exists():
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return MediaRef(path, size)


def clip(folder: Path, *, first: int = 0, count: int = 4) -> FrameRun:
    return FrameRun(tuple(frame(folder, first + number) for number in range(count)), tuple(map(float, range(count))))


def sample(name: str, said: tuple[str, str], *, clips: Sequence[FrameRun] = (), pictures: Sequence[MediaRef] = ()) -> Sample:
    slots = [Slot("video", number) for number in range(len(clips))] + [Slot("image", number) for number in range(len(pictures))]
    turns = (Turn("user", (*slots, said[0])), Turn("assistant", (said[1],)))
    return Sample(name, "test", turns, images=tuple(pictures), videos=tuple(clips))


def write_rows(folder: Path, *, num_scenes: int = 2, num_questions: int = 2) -> Path:
    """A file of conversations about pictures: each scene is one list of two."""
    rows: list[dict[str, Any]] = []
    for scene in range(num_scenes):
        pictures = [frame(folder, 10 * scene + number).path.name for number in range(2)]
        for number, (question, answer) in enumerate(QUESTIONS[:num_questions]):
            said = [{"from": "human", "value": f"<image><image>{question}"}, {"from": "gpt", "value": answer}]
            rows.append({"id": f"{scene}-{number}", "images": pictures, "conversations": said})
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return path
