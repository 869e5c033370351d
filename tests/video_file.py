"""Small videos, written for tests: 48x32, MPEG-4."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.davis_tree import HEIGHT, WIDTH


def write_video(path: Path, *, num_frames: int, rate: Fraction = Fraction(24), slope: bool = False, noise: bool = False) -> Path:
    """Frame k is grey of level 20 + 10 k (up to 240); with `slope` it grows brighter to the right and blue to the bottom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 4_000_000
        for k in range(num_frames):
            rgb = np.full((HEIGHT, WIDTH, 3), min(20 + 10 * k, 240), np.uint8)
            if slope:
                rgb[..., 0] = np.linspace(0, 255, WIDTH, dtype=np.uint8)[None, :]
                rgb[..., 2] = np.linspace(0, 255, HEIGHT, dtype=np.uint8)[:, None]
            if noise:
                rgb = rng.integers(0, 256, rgb.shape, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return path
