"""Checks examples of relations anew: from decoded masks and from what the question says, with code of its own.

Nothing of `sightline.tasks.relations` is used but its thresholds. The sentence is read back (first wording), a mirrored example is
checked in mirrored masks, and every rule is spelt out by brute force.
"""

import json
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sightline.tasks.relations.options import RelationOptions
from sightline.types import Boxes, BoxPart, BoxTrack, Choice, Example, ImagePart, NotVisible, Span, TextPart, VideoPart

Box = tuple[float, float, float, float]
MaskAt = Callable[[str, int], np.ndarray | None]  # object and frame: its mask, empty where absent, None where nobody knows
RANKS = {"first": 1, "second": 2, "third": 3}
OTHER = {"left": "right", "right": "left"}
IN = r"(?: in (?:this|the second) picture)"


class ClipChecker:
    """One clip: `mask_at`, the names of its frames, its rate, and the options of the build."""

    def __init__(self, objects: list[str], frame_ids: list[str], fps: float, mask_at: MaskAt, options: RelationOptions) -> None:
        self.objects, self.frame_ids, self.fps, self.options = objects, frame_ids, fps, options
        self._mask_at, self._kept = mask_at, {}
        self.mirrored = False

    def box(self, name: str, frame: int) -> Box | str:
        """The tight box, "absent" or "unknown"; mirrored where the example is."""
        key = (name, frame, self.mirrored)
        if key not in self._kept:
            mask = self._mask_at(name, frame)
            if mask is not None and self.mirrored:
                mask = mask[:, ::-1]
            self._kept[key] = self._tight(mask)
        return self._kept[key]

    def _tight(self, mask: np.ndarray | None) -> Box | str:
        if mask is None:
            return "unknown"
        rows, columns = np.nonzero(mask)
        if rows.size == 0:
            return "absent"
        return float(columns.min()), float(rows.min()), float(columns.max()) + 1, float(rows.max()) + 1

    def size(self) -> tuple[int, int]:
        for frame in range(len(self.frame_ids)):
            for name in self.objects:
                mask = self._mask_at(name, frame)
                if mask is not None:
                    return mask.shape[1], mask.shape[0]
        raise AssertionError("a clip without a mask")

    def usable(self, name: str, frame: int) -> Box | None:
        """The box if it may be compared."""
        box = self.box(name, frame)
        if isinstance(box, str):
            return None
        if area(box) < self.options.min_area * self.width * self.height:
            return None
        if self.touches(box):
            every = [self.box(name, other) for other in range(len(self.frame_ids))]
            boxes = [one for one in every if not isinstance(one, str)]
            free = sorted(area(one) for one in boxes if not self.touches(one))
            whole = free[(len(free) - 1) // 2] if free else max(area(one) for one in boxes)
            if area(box) < (1 - self.options.max_truncated) * whole:
                return None
        return box

    def touches(self, box: Box) -> bool:
        return box[0] < 1.5 or box[1] < 1.5 or box[2] > self.width - 1.5 or box[3] > self.height - 1.5

    def side(self, x: Box, y: Box) -> str | None:
        """left, right, neither or None, of x seen from y."""
        gap = self.options.margin * self.width
        if y[0] - x[2] >= gap - 1e-9:
            return "left"
        if x[0] - y[2] >= gap - 1e-9:
            return "right"
        shared = min(x[2], y[2]) - max(x[0], y[0])
        return "neither" if shared >= self.options.soft_overlap * min(x[2] - x[0], y[2] - y[0]) else None

    def sides(self, x: str, y: str) -> list[str | None]:
        """Frame by frame: left, right, neither, "near" for neither asserted nor denied, None where they are not both comparable."""
        found: list[str | None] = []
        for frame in range(len(self.frame_ids)):
            one, other = self.usable(x, frame), self.usable(y, frame)
            found.append(None if one is None or other is None else self.side(one, other) or "near")
        return found

    def labelled(self) -> list[int]:
        return [frame for frame in range(len(self.frame_ids)) if any(self.box(name, frame) != "unknown" for name in self.objects)]

    def verify(self, example: Example) -> str:
        """The kind of the question, if its truth is right; AssertionError where it is not."""
        self.mirrored = example.evidence["mirrored"] == 1
        self.width, self.height = self.size()
        called = {phrase: name for name, phrase in json.loads(str(example.evidence["called"])).items()}
        text = " ".join(part.text for part in example.question.prompt if isinstance(part, TextPart))
        frames = [self.frame_ids.index(panel.view_id) for panel in example.question.panels]
        video = [part for part in example.question.prompt if isinstance(part, VideoPart)]
        shown = [frames[index] for index in video[0].image_indices] if video else [frames[-1]]
        self._check_media(example, frames)
        for kind, pattern in PATTERNS.items():
            match = re.search(pattern, text)
            if match:
                words = {name: value for name, value in match.groupdict().items() if value is not None}
                getattr(self, f"check_{kind.removesuffix('_track')}")(example, words, called, shown)
                return kind
        raise AssertionError(f"{example.id}: cannot read {text!r}")

    def _check_media(self, example: Example, frames: list[int]) -> None:
        slots = [part for part in example.question.prompt if isinstance(part, ImagePart | VideoPart)]
        count = sum(1 if isinstance(part, ImagePart) else len(part.image_indices) for part in slots)
        assert count == len(example.question.images), example.id
        names = list(json.loads(str(example.evidence["called"])))
        given = [part for part in example.question.prompt if isinstance(part, BoxPart)]
        for name, part in zip(names, given, strict=False):
            assert part.box == self.box(name, frames[0]), example.id

    def check_side_yesno(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        x, y = (self.usable(called[words[name]], shown[0]) for name in "ab")
        assert x is not None, example.id
        assert y is not None, example.id
        holds = self.side(x, y)
        assert holds in OTHER, f"{example.id}: near the threshold"
        assert example.truth.answer == Choice(value="yes" if holds == words["side"] else "no"), example.id

    def check_side_choice(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        x, y = (self.usable(called[words[name]], shown[0]) for name in "ab")
        assert x is not None, example.id
        assert y is not None, example.id
        assert example.truth.answer == Choice(value=str(self.side(x, y))), example.id
        offered = set(re.split(r", | or ", words["options"]))
        assert offered == set(example.question.form.options), example.id

    def check_third(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        box = self.usable(called[words["a"]], shown[0])
        assert box is not None, example.id
        lines, slack = (self.width / 3, 2 * self.width / 3), self.options.buffer * self.width
        answer = example.truth.answer
        assert isinstance(answer, Choice), example.id
        if answer.value == "neither":
            assert any(line - box[0] >= slack - 1e-9 and box[2] - line >= slack - 1e-9 for line in lines), example.id
            return
        first, last = {"left": (0, lines[0]), "centre": lines, "right": (lines[1], self.width)}[answer.value]
        assert first <= box[0] < box[2] <= last, example.id
        assert all(abs(edge - line) >= slack - 1e-9 for edge in (box[0], box[2]) for line in lines), example.id

    def check_always(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        assert len(shown) > 1, example.id
        common = [side for side in self.sides(called[words["a"]], called[words["b"]]) if side is not None]
        assert len(common) >= max(self.options.min_covisible, self.options.min_covisible_share * len(self.labelled())), example.id
        side = words["side"] if example.truth.answer == Choice(value="yes") else OTHER[words["side"]]
        assert common.count(side) >= self.options.agree * len(common), example.id
        assert OTHER[side] not in common, example.id

    def check_becomes(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        assert len(shown) > 1, example.id
        assert words["other"] == OTHER[words["side"]], example.id
        asserted = [side for side in self.sides(called[words["a"]], called[words["b"]]) if side in OTHER]
        changes = [(one, other) for one, other in pairwise(asserted) if one != other]
        asked = (words["side"], words["other"])
        assert changes == [asked if example.truth.answer == Choice(value="yes") else asked[::-1]], example.id

    def check_when(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        assert len(shown) > 1, example.id
        sides = self.sides(called[words["a"]], called[words["b"]])
        holds = [frame for frame, side in enumerate(sides) if side == words["side"]]
        answer = example.truth.answer
        if isinstance(answer, NotVisible):
            assert not holds, example.id
            assert OTHER[words["side"]] in sides, example.id
            return
        assert isinstance(answer, Span), example.id
        grid = self.labelled()
        between = [frame for frame in grid if holds[0] <= frame <= holds[-1]]
        assert between == holds, f"{example.id}: not one stretch"
        end = next((frame for frame in grid if frame > holds[-1]), len(self.frame_ids))
        assert answer.start_s == round(holds[0] / self.fps, 3), example.id
        assert answer.end_s == round(end / self.fps, 3), example.id

    def _ordered(self, names: list[str], frame: int) -> list[str]:
        """From left to right; all of them are comparable, and no two are close."""
        centres = []
        for name in names:
            box = self.usable(name, frame)
            assert box is not None, f"{name} may not be compared in frame {frame}"
            centres.append(((box[0] + box[2]) / 2, name))
        centres.sort()
        for (one, _), (other, _) in pairwise(centres):
            assert other - one > self.options.rank_gap * self.width, f"frame {frame}: too close"
        return [name for _, name in centres]

    def _moment(self, words: dict[str, str], example: Example, shown: list[int]) -> int:
        """The frame in which the position holds: the one picture, or the time that the words name."""
        if "time" not in words:
            return shown[0]
        near = [frame for frame in shown if abs(frame / self.fps - float(words["time"])) <= 0.0501]
        frame = int(example.evidence["frame"])
        assert frame in near, f"{example.id}: {words['time']} s is not frame {frame}"
        return frame

    def check_order(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        names = [called[phrase] for phrase in re.split(r", | and ", words["list"])]
        order = self._ordered(names, self._moment(words, example, shown))
        ranked = order if words["side"] == "left" else order[::-1]
        self._check_target(example, ranked[RANKS[words["rank"]] - 1], shown)

    def check_beside(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        names = [called[phrase] for phrase in re.split(r", | and ", words["list"])]
        frame, reference = self._moment(words, example, shown), called[words["reference"]]
        there = self.usable(reference, frame)
        assert there is not None, example.id
        assert reference not in names, example.id
        sides = {}
        for name in names:
            box = self.usable(name, frame)
            assert box is not None, example.id
            sides[name] = self.side(box, there)
            assert sides[name] is not None, f"{example.id}: {name} is near the threshold"
        order = self._ordered([name for name in names if sides[name] == words["side"]], frame)
        outwards = order[::-1] if words["side"] == "left" else order
        rank = RANKS[words["rank"]]
        self._check_target(example, outwards[rank - 1] if rank <= len(outwards) else None, shown)

    def check_stays(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        reference = called[words["reference"]]
        staying = []
        for phrase in re.split(r", | and ", words["list"]):
            common = [side for side in self.sides(called[phrase], reference) if side is not None]
            share = common.count(words["side"]) / len(common)
            if share >= self.options.agree and OTHER[words["side"]] not in common:
                staying.append(called[phrase])
            else:
                assert share <= 0.5, f"{example.id}: {phrase} is there nearly always"
        assert len(staying) <= 1, example.id
        self._check_target(example, staying[0] if staying else None, shown)

    def check_switch(self, example: Example, words: dict[str, str], called: dict[str, str], shown: list[int]) -> None:
        answer, scored = example.truth.answer, example.truth.scored_frames
        assert isinstance(answer, BoxTrack), example.id
        names = [called[phrase] for phrase in re.split(r", | and ", words["list"])]
        for place, frame in enumerate(shown):
            if scored is not None and place not in scored:
                assert answer.frames[place] == (), example.id
                continue
            centres = []
            for name in names:
                box = self.usable(name, frame)
                assert box is not None or self.box(name, frame) == "absent", example.id
                if box is not None:
                    centres.append(((box[0] + box[2]) / 2, box))
            centres.sort(reverse=words["side"] == "right")
            assert abs(centres[0][0] - centres[1][0]) > self.options.rank_gap * self.width, example.id
            assert answer.frames[place] == (centres[0][1],), example.id

    def _check_target(self, example: Example, target: str | None, shown: list[int]) -> None:
        answer, scored = example.truth.answer, example.truth.scored_frames
        if target is None:
            assert answer == NotVisible(), example.id
            assert example.question.form.offers_not_visible, example.id
            return
        boxes = [self.box(target, frame) for frame in shown]
        if isinstance(answer, Boxes):
            assert answer.boxes == (boxes[0],), example.id
            assert example.truth.box == boxes[0], example.id
            return
        assert isinstance(answer, BoxTrack), example.id
        expected = tuple(() if isinstance(box, str) else (box,) for box in boxes)
        assert answer.frames == expected, example.id
        known = tuple(place for place, box in enumerate(boxes) if box != "unknown")
        assert (tuple(range(len(shown))) if scored is None else scored) == known, example.id


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


SIDE = r"(?P<side>left|right)"
RANK = r"(?P<rank>first|second|third)"
TIME = r"at (?P<time>[\d.]+) seconds"
PATTERNS = {
    "side_yesno": rf"Is (?P<a>.+?) to the {SIDE} of (?P<b>.+?){IN}\?",
    "side_choice": rf"Where is (?P<a>.+?), seen from (?P<b>.+?),{IN}: (?P<options>.+?)\?",
    "third": rf"In which part of the picture is (?P<a>.+?){IN}: .+?\?",
    "always": rf"Is (?P<a>.+?) to the {SIDE} of (?P<b>.+?) all through the clip",
    "becomes": rf"Does (?P<a>.+?) pass from the {SIDE} of (?P<b>.+?) to its (?P<other>left|right) side",
    "when": rf"During which stretch of time is (?P<a>.+?) to the {SIDE} of (?P<b>.+?)\?",
    "order": rf"(?:Which of (?P<list>.+?) is the {RANK} from the {SIDE}{IN}\?)",
    "beside": rf"Counting only (?P<list>.+?): find the {RANK} object to the {SIDE} of (?P<reference>.+?){IN}, beginning",
    "stays": rf"Which of (?P<list>.+?) stays to the {SIDE} of (?P<reference>.+?) for as long",
    "switch": rf"In each frame, find whichever of (?P<list>.+?) is furthest to the {SIDE} at",
    "order_track": rf"Take the object that is the {RANK} from the {SIDE} {TIME}, counting only (?P<list>.+?), and follow",
    "beside_track": rf"Take the {RANK} object to the {SIDE} of (?P<reference>.+?) {TIME}, nearest first, "
    r"counting only (?P<list>.+?), and",
}
