"""Label pictures as the video data sets have them: PNG with a palette, whose index is the object's number and 0 no object.

The colours are those of PASCAL VOC, which DAVIS and its successors took over: bit 0, 1 and 2 of a number go to the highest free bit
of red, green and blue, the next three to the bit below, and so on. Readers look at the index alone.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def encode_label_png(labels: UInt8[np.ndarray, "h w"]) -> bytes:
    """A picture of label numbers as palette PNG; `media.read_labels` gives the same numbers back."""
    picture = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    picture.putpalette(voc_palette())
    content = BytesIO()
    picture.save(content, "PNG", compress_level=6)
    return content.getvalue()


@lru_cache(maxsize=1)
def voc_palette() -> bytes:
    """Red, green and blue of the 256 numbers in turn."""
    numbers = np.arange(256, dtype=np.uint8)
    colours = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            colours[:, channel] |= (numbers >> channel & 1) << (7 - level)
        numbers >>= 3
    return colours.tobytes()
