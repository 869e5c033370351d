"""Colours as functions of position: each maker returns a `Paint`, from points (metres) to RGB in 0..1.

Objects are painted in their own axes, the room in the world's, so a surface looks the same from every view. No picture files, and
no shadows: a removed object changes nothing outside its own mask.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

Rgb = tuple[float, float, float]
Paint = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]]

COLOURS: dict[str, Rgb] = {
    "red": (0.80, 0.22, 0.20),
    "blue": (0.20, 0.42, 0.74),
    "green": (0.30, 0.58, 0.34),
    "yellow": (0.93, 0.74, 0.25),
    "orange": (0.91, 0.49, 0.19),
    "purple": (0.52, 0.35, 0.66),
    "teal": (0.16, 0.60, 0.60),
    "pink": (0.90, 0.53, 0.62),
}
CREAM: Rgb = (0.96, 0.93, 0.86)
WOOD: Rgb = (0.66, 0.46, 0.29)
STEEL: Rgb = (0.80, 0.82, 0.84)


def parcel(colour: Rgb, size: tuple[float, float, float]) -> Paint:
    """A gift box: cream ribbons across, darker rim."""

    def paint(local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        rim = np.sort(np.abs(np.abs(local) - np.asarray(size) / 2), axis=1)[:, 1] < 0.012
        on_top = np.abs(local[:, 2]) > size[2] / 2 - 1e-6
        ribbon = (np.abs(local[:, 0]) < 0.035) | (np.abs(local[:, 1]) < 0.035) & (
            on_top | (np.abs(local[:, 0]) > size[0] / 2 - 1e-6)
        )
        return _choose(ribbon, CREAM, np.where(rim[:, None], 0.78, 1.0) * colour)

    return paint


def beach_ball(colour: Rgb, accent: Rgb) -> Paint:
    """Six meridian panels and a cap at the pole."""

    def paint(local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        radius = np.linalg.norm(local, axis=1)
        panel = np.floor((np.arctan2(local[:, 1], local[:, 0]) / np.pi + 1.0) * 3.0) % 2 == 0
        cap = np.abs(local[:, 2]) > 0.96 * radius
        return _choose(cap, accent, _choose(panel, colour, np.full_like(local, 1.0) * CREAM))

    return paint


def tin(colour: Rgb, accent: Rgb, height: float) -> Paint:
    """A steel can with a coloured wrapper, a lighter band and a row of dots around it."""

    def paint(local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        level = local[:, 2] / height + 0.5
        turn = np.arctan2(local[:, 1], local[:, 0]) / (2 * np.pi) * 8.0
        rings = np.abs(np.hypot(local[:, 0], local[:, 1]) / 0.03 % 1.0 - 0.5) < 0.12
        metal = np.where(rings[:, None] & (level > 1 - 1e-5)[:, None], 0.88, 1.0) * STEEL
        band = (level > 0.36) & (level < 0.66)
        dots = np.hypot((turn % 1.0 - 0.5), (level - 0.51) * 3.4) < 0.3
        wrapper = _choose(band & dots, accent, _choose(band, CREAM, np.full_like(local, 1.0) * colour))
        return np.where(((level < 0.06) | (level > 0.94))[:, None], metal, wrapper)

    return paint


def boards(colour: Rgb) -> Paint:
    """Plain furniture wood with a faint grain."""

    def paint(local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        grain = np.sin(local[:, 1] * 90.0 + 3.0 * np.sin(local[:, 0] * 5.0) + local[:, 2] * 40.0)
        return (1.0 + 0.04 * grain)[:, None] * colour

    return paint


def bookshelf(colour: Rgb, size: tuple[float, float, float], *, num_shelves: int) -> Paint:
    """A cupboard whose two long sides are rows of book spines; wood elsewhere."""
    wood = boards(colour)

    def paint(local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        along = (local[:, 0] + size[0] / 2) / 0.055
        level = (local[:, 2] / size[2] + 0.5) * num_shelves
        side = np.sign(local[:, 1])
        chance = _hash(np.floor(along), np.floor(level) + 31.0 * side)
        palette = np.array(list(COLOURS.values()))
        spine = 0.35 * palette[(chance * len(palette)).astype(int)] + 0.65 * np.array([0.62, 0.55, 0.47])
        gap = (along % 1.0 < 0.1) | (level % 1.0 > 0.62 + 0.24 * _hash(np.floor(along), np.floor(level) + 7.0))
        books = np.where(gap[:, None], 0.30, 1.0) * spine
        frame = (level % 1.0 < 0.08) | (np.abs(local[:, 0]) > size[0] / 2 - 0.035) | (local[:, 2] > size[2] / 2 - 0.035)
        on_side = np.abs(local[:, 1]) > size[1] / 2 - 1e-6
        return np.where((on_side & ~frame)[:, None], books, wood(local))

    return paint


def plank_floor(colour: Rgb, rug: Rgb, size: tuple[float, float, float]) -> Paint:
    """Staggered planks, with a patterned oval rug in the middle of the room."""

    def paint(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        row = np.floor(points[:, 1] / 0.16)
        along = points[:, 0] / 1.1 + _hash(row, row * 0.0)
        tone = 0.86 + 0.18 * _hash(row, np.floor(along)) + 0.025 * np.sin(points[:, 1] * 160.0 + 4.0 * np.sin(points[:, 0] * 3.0))
        seam = (points[:, 1] / 0.16 % 1.0 < 0.07) | (along % 1.0 < 0.012)
        wood = (tone * np.where(seam, 0.80, 1.0))[:, None] * colour
        x, y = (points[:, 0] / size[0] - 0.5) / 0.34, (points[:, 1] / size[1] - 0.5) / 0.36
        rings = np.hypot(x, y)
        diamonds = (np.abs((points[:, 0] / 0.3) % 1.0 - 0.5) + np.abs((points[:, 1] / 0.3) % 1.0 - 0.5)) < 0.28
        woven = _choose((rings > 0.84) & (rings < 0.9) | diamonds & (rings < 0.8), CREAM, np.full_like(points, 1.0) * rug)
        return np.where((rings < 0.96)[:, None], 0.97 * woven, wood)

    return paint


def wall(colour: Rgb, accent: Rgb, *, length: float, axis: int, has_window: bool, motif: float) -> Paint:
    """Striped wallpaper over a panelled dado and a skirting board; two framed pictures, and a window or a large picture between."""

    def paint(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        along, up = points[:, axis], points[:, 2]
        stripe = np.where(along / 0.22 % 1.0 < 0.5, 1.0, 0.955)
        rgb = stripe[:, None] * colour
        dado = np.where((along / 0.44 % 1.0 < 0.06) | (up > 0.76), 0.88, 1.0)[:, None] * (
            0.55 * np.array(colour) + 0.45 * np.array(accent)
        )
        rgb = np.where((up < 0.82)[:, None], dado, rgb)
        rgb = _choose(up < 0.09, CREAM, rgb)
        for place, scale in ((0.2, 1.0), (0.8, 1.0)) if has_window else ((0.2, 1.0), (0.5, 1.6), (0.8, 1.0)):
            x, y = (along - place * length) / scale, (up - 1.55) / scale
            rgb = _hang_picture(rgb, x, y, accent=accent, motif=motif + 3.0 * place)
        return _cut_window(rgb, along - 0.5 * length, up - 1.6) if has_window else rgb

    return paint


def _hang_picture(
    rgb: Float[np.ndarray, "n 3"], x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], *, accent: Rgb, motif: float
) -> Float[np.ndarray, "n 3"]:
    """An abstract landscape, 0.7 x 0.56 m, in a wooden frame."""
    rgb = _choose((np.abs(x) < 0.35) & (np.abs(y) < 0.28), WOOD, rgb)
    hills = y < 0.08 * np.sin(6.0 * x * np.sin(motif) + motif) - 0.05
    sun = np.hypot(x - 0.2 * np.cos(3.0 * motif), y - 0.1) < 0.07
    canvas = _choose(sun, COLOURS["orange"], _choose(hills, accent, np.full_like(rgb, 1.0) * (0.93, 0.88, 0.76)))
    return np.where(((np.abs(x) < 0.31) & (np.abs(y) < 0.24))[:, None], canvas, rgb)


def _cut_window(rgb: Float[np.ndarray, "n 3"], x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """A white window, 1.3 x 1.1 m, with a sky that pales towards the horizon."""
    rgb = _choose((np.abs(x) < 0.65) & (np.abs(y) < 0.55), (0.97, 0.97, 0.95), rgb)
    pane = (np.abs(x) < 0.59) & (np.abs(y) < 0.49) & (np.abs(x) > 0.025) & (np.abs(y - 0.1) > 0.025)
    pale = np.clip((0.5 - y)[:, None], 0.0, 1.0)
    sky = (1.0 - pale) * (0.55, 0.75, 0.93) + pale * (0.88, 0.94, 0.97)
    return np.where(pane[:, None], sky, rgb)


def _choose(where: Bool[np.ndarray, " n"], colour: Rgb, otherwise: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return np.where(where[:, None], np.asarray(colour), otherwise)


def _hash(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """A number in [0, 1) that looks random, the same for the same pair of whole numbers."""
    mixed = (first.astype(np.int64) * 73856093) ^ (second.astype(np.int64) * 19349663)
    mixed = ((mixed ^ (mixed >> 13)) & 0x7FFFFFFF) * 0x5BD1E995
    return ((mixed ^ (mixed >> 15)) & 0xFFFF) / 65536.0
