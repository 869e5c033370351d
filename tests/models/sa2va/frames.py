"""Clips that are in memory."""

from typing import Any

import numpy as np


class Pictures:
    """Frames as arrays."""

    def __init__(self, frames: Any) -> None:
        self._frames = [np.asarray(frame) for frame in frames]
        self.height, self.width = self._frames[0].shape[:2]

    def __len__(self) -> int:
        return len(self._frames)

    def rgb(self, index: int) -> Any:
        return self._frames[index]
