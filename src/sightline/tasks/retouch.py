"""Changes of a picture that are not removals: another light, and patches altered here and there. All ranges are declared here."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

GAMMA = (1.25, 1.5)  # darker; its inverse where the picture gets brighter
OFFSET = (25.0, 45.0)  # of 255, taken away where it gets darker
CONTRAST = (0.85, 1.15)  # about mid-grey
BALANCE = (0.92, 1.08)  # gain of each channel
NOISE = (1.0, 4.0)  # standard deviation, of 255

NUM_PATCHES = (4, 6)
MIN_PATCHES = 3
AREA = (0.8, 1.8)  # of a patch, over the object's
ASPECT = (0.6, 1.7)
MAX_SIDE = 0.4  # of the picture's
MARGIN = 0.02  # of the width: between a patch and an object, or another patch
TRIES = 60
OPACITY = (0.5, 0.7)
SHADE = (30.0, 55.0)  # of 255, lighter or darker


@dataclass(frozen=True)
class Light:
    """How the light changes. In order: value ** gamma, contrast about mid-grey, gain of each channel, offset, noise."""

    gamma: float
    contrast: float
    balance: tuple[float, float, float]
    offset: float
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Light":
        """Clearly darker or clearly brighter: gamma and offset pull the same way."""
        darker = bool(rng.integers(2))
        gamma, offset = rng.uniform(*GAMMA), rng.uniform(*OFFSET)
        red, green, blue = rng.uniform(*BALANCE, size=3)
        return cls(
            gamma=float(gamma if darker else 1 / gamma),
            contrast=float(rng.uniform(*CONTRAST)),
            balance=(float(red), float(green), float(blue)),
            offset=float(-offset if darker else offset),
            noise=float(rng.uniform(*NOISE)),
        )

    def shine(self, rgb: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
        """The picture in this light; `rng` makes the noise, the same in all channels."""
        grey = (((np.arange(256) / 255) ** self.gamma - 0.5) * self.contrast + 0.5) * 255
        table = np.stack([grey * gain + self.offset for gain in self.balance], axis=1).astype(np.float32)
        noise = rng.normal(0, self.noise, rgb.shape[:2]).astype(np.float32)
        lit = np.stack([table[rgb[..., channel], channel] + noise for channel in range(3)], axis=2)
        return _bytes(lit)


def add_patches(
    rgb: UInt8[np.ndarray, "h w 3"], clear: Bool[np.ndarray, "h w"], *, area: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"] | None:
    """A copy with `NUM_PATCHES` patches recoloured, blurred or painted over, none of them on or near a pixel of `clear`.

    `area` in square pixels is that of the removed object. None if fewer than `MIN_PATCHES` find room.
    """
    margin = max(2, round(MARGIN * rgb.shape[1]))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    taken = cv2.dilate(clear.astype(np.uint8), kernel)
    out = rgb.copy()
    placed = 0
    for _ in range(int(rng.integers(NUM_PATCHES[0], NUM_PATCHES[1] + 1))):
        patch = _free_patch(taken, area, rng)
        if patch is not None:
            alter = (_recolour, _blur, _paint)[int(rng.integers(3))]
            out[patch] = alter(rgb, patch, rng)
            taken = np.maximum(taken, cv2.dilate(patch.astype(np.uint8), kernel))
            placed += 1
    return out if placed >= MIN_PATCHES else None


def _free_patch(taken: UInt8[np.ndarray, "h w"], area: float, rng: np.random.Generator) -> Bool[np.ndarray, "h w"] | None:
    """An ellipse or rectangle, upright, whole in the picture and on no taken pixel."""
    height, width = taken.shape
    for _ in range(TRIES):
        size, aspect = area * rng.uniform(*AREA), rng.uniform(*ASPECT)
        half_width = min(float(np.sqrt(size * aspect)), MAX_SIDE * width) / 2
        half_height = min(float(np.sqrt(size / aspect)), MAX_SIDE * height) / 2
        x, y = rng.uniform(half_width, width - half_width), rng.uniform(half_height, height - half_height)
        across = (np.arange(width) + 0.5 - x) / half_width
        down = (np.arange(height) + 0.5 - y) / half_height
        if rng.integers(2):
            patch = down[:, None] ** 2 + across[None, :] ** 2 <= 1
        else:
            patch = (np.abs(down) <= 1)[:, None] & (np.abs(across) <= 1)[None, :]
        if patch.any() and not taken[patch].any():
            return patch
    return None


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
    sigma = max(2.0, 0.1 * float(np.sqrt(np.count_nonzero(patch))))
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
