"""Changes of a picture that are not removals: another light, and patches altered here and there. All ranges are declared here."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

GAMMA = (1.15, 1.35)  # darker; its inverse where the picture gets brighter
OFFSET = (18.0, 32.0)  # of 255, taken away where it gets darker
CONTRAST = (0.85, 1.15)  # about mid-grey
BALANCE = (0.92, 1.08)  # gain of each channel
FALL = (0.25, 0.45)  # of the light: lost at one border where the picture gets darker, gained where it gets brighter
NOISE = (1.0, 4.0)  # standard deviation, of 255

NUM_PATCHES = (4, 6)
MIN_PATCHES = 3
AREA = (0.3, 2.5)  # of a patch, over the removal's
LARGER, SMALLER = (1.1, 2.5), (0.3, 0.7)  # of one patch each: the removal is neither the largest change nor the smallest
ASPECT = (0.4, 2.5)
MAX_SIDE = 0.6  # of the picture's
MARGIN = 0.02  # of the width: between a patch and an object, or another patch
TRIES = 60
OPACITY = (0.55, 0.7)  # below 1, so that what is there can still be seen: nothing is removed
SHADE = (40.0, 80.0)  # of 255, lighter or darker


@dataclass(frozen=True)
class Light:
    """How the light changes. In order: value ** gamma, contrast about mid-grey, gain of each channel, offset, fall, noise.

    The fall is a gain that goes evenly from 1 on one side of the picture to 1 + `fall` on the other, which lies towards `side_deg`
    (0 to the right, 90 down). Without it, one threshold of the difference would do for the whole picture.
    """

    gamma: float
    contrast: float
    balance: tuple[float, float, float]
    offset: float
    fall: float
    side_deg: float
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Light":
        """Clearly darker or clearly brighter: gamma, offset and fall pull the same way."""
        darker = bool(rng.integers(2))
        gamma, offset = rng.uniform(*GAMMA), rng.uniform(*OFFSET)
        red, green, blue = rng.uniform(*BALANCE, size=3)
        return cls(
            gamma=float(gamma if darker else 1 / gamma),
            contrast=float(rng.uniform(*CONTRAST)),
            balance=(float(red), float(green), float(blue)),
            offset=float(-offset if darker else offset),
            fall=float(rng.uniform(*FALL)) * (-1 if darker else 1),
            side_deg=float(rng.uniform(0, 360)),
            noise=float(rng.uniform(*NOISE)),
        )

    def shine(self, rgb: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
        """The picture in this light; `rng` makes the noise, the same in all channels."""
        grey = (((np.arange(256) / 255) ** self.gamma - 0.5) * self.contrast + 0.5) * 255
        table = np.stack([grey * gain + self.offset for gain in self.balance], axis=1).astype(np.float32)
        noise = rng.normal(0, self.noise, rgb.shape[:2]).astype(np.float32)
        gain = self._gain(*rgb.shape[:2])
        lit = np.stack([table[rgb[..., channel], channel] * gain + noise for channel in range(3)], axis=2)
        return _bytes(lit)

    def _gain(self, height: int, width: int) -> Float32[np.ndarray, "h w"]:
        """1 where the light stays, 1 + `fall` where it changes most."""
        angle = np.deg2rad(self.side_deg)
        across, down = np.linspace(-1, 1, width) * np.cos(angle), np.linspace(-1, 1, height) * np.sin(angle)
        reach = abs(np.cos(angle)) + abs(np.sin(angle))
        return (1 + self.fall * (0.5 + (down[:, None] + across[None, :]) / (2 * reach))).astype(np.float32)


def add_patches(
    rgb: UInt8[np.ndarray, "h w 3"], clear: Bool[np.ndarray, "h w"], *, area: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"] | None:
    """A copy with `NUM_PATCHES` patches recoloured, blurred or painted over, none of them on or near a pixel of `clear`.

    `area` in square pixels is that of the removal. A patch has `AREA` times that, evenly on a logarithmic scale; one has `LARGER`,
    one `SMALLER` times that. The largest is placed first. None if fewer than `MIN_PATCHES` find room, or no larger or smaller one.
    """
    margin = max(2, round(MARGIN * rgb.shape[1]))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    taken = cv2.dilate(clear.astype(np.uint8), kernel)
    out = rgb.copy()
    placed = []
    num_others = int(rng.integers(NUM_PATCHES[0], NUM_PATCHES[1] + 1)) - 2
    ranges = [LARGER, SMALLER, *[AREA] * num_others]
    for share in sorted((float(np.exp(rng.uniform(*np.log(span)))) for span in ranges), reverse=True):
        patch = _free_patch(taken, area * share, rng)
        if patch is not None:
            alter = (_recolour, _blur, _paint)[int(rng.integers(3))]
            out[patch] = alter(rgb, patch, rng)
            taken = np.maximum(taken, cv2.dilate(patch.astype(np.uint8), kernel))
            placed.append(share)
    fits = len(placed) >= MIN_PATCHES and max(placed) >= LARGER[0] and min(placed) <= SMALLER[1]
    return out if fits else None


def _free_patch(taken: UInt8[np.ndarray, "h w"], area: float, rng: np.random.Generator) -> Bool[np.ndarray, "h w"] | None:
    """An ellipse or rectangle, upright, whole in the picture and on no taken pixel."""
    height, width = taken.shape
    for _ in range(TRIES):
        aspect = rng.uniform(*ASPECT)
        is_ellipse = bool(rng.integers(2))
        bounds = area * (4 / np.pi if is_ellipse else 1)  # of the box around the patch
        half_width = min(float(np.sqrt(bounds * aspect)), MAX_SIDE * width) / 2
        half_height = min(float(np.sqrt(bounds / aspect)), MAX_SIDE * height) / 2
        x, y = rng.uniform(half_width, width - half_width), rng.uniform(half_height, height - half_height)
        rows, columns = _span(y, half_height, height), _span(x, half_width, width)
        down = (np.arange(rows.start, rows.stop) + 0.5 - y) / half_height
        across = (np.arange(columns.start, columns.stop) + 0.5 - x) / half_width
        if is_ellipse:
            inside = down[:, None] ** 2 + across[None, :] ** 2 <= 1
        else:
            inside = (np.abs(down) <= 1)[:, None] & (np.abs(across) <= 1)[None, :]
        if inside.any() and not taken[rows, columns][inside].any():
            patch = np.zeros(taken.shape, dtype=bool)
            patch[rows, columns] = inside
            return patch
    return None


def _span(middle: float, half: float, length: int) -> slice:
    """The pixels along one side that a stretch touches."""
    return slice(max(0, int(middle - half)), min(length, int(np.ceil(middle + half))))


def _recolour(
    rgb: UInt8[np.ndarray, "h w 3"], patch: Bool[np.ndarray, "h w"], rng: np.random.Generator
) -> UInt8[np.ndarray, "n 3"]:
    """Tinted in a colour that is far from its own."""
    inside = rgb[patch].astype(np.float32)
    colour = _far_colour(inside, rng)
    opacity = rng.uniform(*OPACITY)
    return _bytes((1 - opacity) * inside + opacity * colour)


def _blur(rgb: UInt8[np.ndarray, "h w 3"], patch: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> UInt8[np.ndarray, "n 3"]:
    """Out of focus and lighter or darker, whichever has more room."""
    sigma = max(2.0, 0.05 * float(np.sqrt(np.count_nonzero(patch))))
    inside = cv2.GaussianBlur(rgb, (0, 0), sigma)[patch].astype(np.float32)
    shade = rng.uniform(*SHADE)
    return _bytes(inside + (shade if inside.mean() < 128 else -shade))


def _paint(rgb: UInt8[np.ndarray, "h w 3"], patch: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> UInt8[np.ndarray, "n 3"]:
    """Slanting stripes of one colour and of the surface below."""
    inside = rgb[patch].astype(np.float32)
    rows, columns = np.nonzero(patch)
    pitch = max(4.0, 0.3 * float(np.sqrt(len(rows))))
    striped = ((columns + rng.uniform(-1, 1) * rows) / pitch) % 1 < 0.6
    inside[striped] = _far_colour(inside, rng)
    return _bytes(inside)


def _far_colour(inside: Float32[np.ndarray, "n 3"], rng: np.random.Generator) -> Float32[np.ndarray, " 3"]:
    """A colour of which each channel is at least 80 from the patch's mean."""
    mean = inside.mean(axis=0)
    room = np.where(mean < 128, 255 - mean, -mean)  # to the farther end: at least 127
    return (mean + room * rng.uniform(0.63, 1.0, size=3)).astype(np.float32)


def _bytes(values: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
