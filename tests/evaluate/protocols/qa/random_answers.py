"""Random questions with random answers, hard to read and always the same: what `thousand.json` pins the public scorers' numbers of.

Only `random.Random.random` is drawn from, whose sequence Python keeps from version to version.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from sightline.evaluate.protocols.qa.vsi import CATEGORIES, LETTERS

SEED, COUNT = 8, 1000
SETTINGS = ("around", "aroundnew", "rotation", "translation", "among", "Among", "x")
REVSI = (
    "object_rel_direction_forward_easy",
    "object_rel_direction_backward_easy",
    "object_rel_direction_forward_hard",
    "object_rel_direction_backward_hard",
    "object_rel_distance_closest",
    "object_rel_distance_farthest",
    "route_planning",
    "object_counting_single",
    "object_counting_multiple",
    "object_abs_distance",
    "object_size_estimation",
    "room_size_estimation_single",
    "room_size_estimation_multiple",
)
WORDS = ("chair", "black chair", "a table", "the tv", "two", "2", "on the left of bed", "brown", "yes", "no", "right", "letf")
AROUND_LETTERS = (
    "{}", "{}.", "{}..", "({})", "{}. sofa", "{}) sofa", " {}", "\n{}", "The answer is {}", "My answer is {}.", "Answer: {}",
    "answer: ({})", "<answer>{}</answer>", "<Answer>{}", "<answer>{}. the chair</answer>", "**{}**", '"{}"', "option {}",
    "I think {} or not.", "A is wrong, so {}.", "{}\nor B", "<think>C. no</think>{}", "B\nfinal answer: {}", "it is {} I guess",
)  # fmt: skip
AROUND_NUMBERS = (
    "{}", "{}.", " {}", "{} meters", "{}m", "about {}", "The answer is {}", "<answer>{}</answer>", "<answer>{} m</answer>", "-{}",
    "{}, {}", "1,{}", "one or {}", "{}e0", "= {} cm.", "room 2 is {} square metres", "<think>7</think>{}", "{}\n", "nan", "inf",
    "twenty-one", "three hundred and two", "seven", "",
)  # fmt: skip


class Random(NamedTuple):
    """A question as a benchmark's file has it, and what a model wrote."""

    id: str
    category: str
    truth: str
    text: str


class Draw:
    """Draws by one number each."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def number(self, below: int) -> int:
        return int(self._rng.random() * below)

    def one(self, of: Sequence[str]) -> str:
        return of[self.number(len(of))]

    def noise(self) -> str:
        return "".join(self.one("ABCDEabcde .,:()<>*\"'\n0123456789 xyzanswerisAnswer") for _ in range(self.number(30)))


def random_marked(categories: Sequence[str] = CATEGORIES, *, seed: int = SEED) -> list[Random]:
    """Letters and numbers."""
    draw = Draw(seed)
    found = []
    for number in range(COUNT):
        category = draw.one(categories)
        lettered = category in LETTERS or "_rel_" in category
        truth = draw.one("ABCD") if lettered else _number(draw)
        near = truth if draw.number(3) == 0 else (draw.one("ABCDEabcd") if lettered else _near(draw, float(truth)))
        text = draw.one(AROUND_LETTERS if lettered else AROUND_NUMBERS).replace("{}", near) if draw.number(8) else draw.noise()
        found.append(Random(f"{draw.one(SETTINGS)}_{number}", category, truth, text))
    return found


def random_spoken(*, seed: int = SEED) -> list[tuple[tuple[str, ...], str]]:
    """Accepted answers in words, and what a model wrote."""
    draw = Draw(seed)
    found = []
    for _ in range(COUNT):
        accepted = tuple(_phrase(draw) for _ in range(1 + draw.number(3)))
        text = draw.one(accepted) if draw.number(3) == 0 else _phrase(draw)
        found.append((accepted, draw.one(("{}", "{}.", "{} .", "The {}", "{}  {}", "{}..")).replace("{}", text)))
    return found


def _phrase(draw: Draw) -> str:
    return " ".join(draw.one(WORDS) for _ in range(1 + draw.number(4)))


def _number(draw: Draw) -> str:
    return str(1 + draw.number(40)) if draw.number(2) else f"{(1 + draw.number(400)) / 10:.1f}"


def _near(draw: Draw, truth: float) -> str:
    return f"{truth * (0.4 + draw.number(12) / 10):g}"
