"""Depth pictures for those who send none: RoboRefer's own server makes them with Depth Anything, and its clients rely on that."""

import threading

import numpy as np
from jaxtyping import UInt8

from sightline.depth_codecs import inverse_picture, minmax_picture
from sightline.models.depth import DepthModel

WARM_UP_SIDE = 64


class DepthMaker:
    """Makes depth pictures with a network, one at a time, because it has the machine's threads or its GPU to itself."""

    def __init__(self, model: DepthModel) -> None:
        self.model = model
        self._lock = threading.Lock()

    def __call__(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The depth of a picture in the codec `u8x3_minmax`.

        Raises:
            UnusableDepthError: the network gives the same everywhere.
            InputError: the network cannot be loaded, or not take a picture of this size.
        """
        with self._lock:
            found = self.model.estimate(rgb)
        return minmax_picture(found) if self.model.quantity == "inverse" else inverse_picture(found)

    def warm_up(self) -> None:
        """Load the network's weights.

        Raises:
            InputError: they cannot be loaded.
        """
        with self._lock:
            self.model.estimate(np.full((WARM_UP_SIDE, WARM_UP_SIDE, 3), 128, np.uint8))
