"""From facts to examples: words, lettered options, and the evidence that an answer can be checked and drawn by.

Options stand as "A. left" under the question and are answered by their letter. Over the questions of a kind in a scene the right
letter goes round from a drawn start, so that no letter is right more than one time more often than another, whoever builds it.

    Example.evidence   {"rule": "object_abs_distance", "objects": "{\\"3\\": \\"chair\\", ...}", "frames": "[\\"000120\\"]",
                        "distance_m": 1.34, "question_type": ..., "option_A": ..., "plan": "{...}"}

`plan` is the scene from above in metres (`Plan`), for the report.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources

import msgspec
import numpy as np

from sightline.errors import InputError
from sightline.tasks.crossview import Outcome, example_rng
from sightline.tasks.footage import Footage
from sightline.tasks.spatial import KINDS
from sightline.tasks.spatial.facts import Fact, Found, Scene, shuffled
from sightline.tasks.spatial_qa import TASK
from sightline.tasks.wording import fill
from sightline.types import (
    AnswerForm,
    Choice,
    Example,
    LedgerEntry,
    Number,
    Part,
    Published,
    Question,
    Record,
    TextPart,
    Truth,
)

LETTERS = "ABCDEFGH"
VSI_BEFORE = "These are frames of a video.\n"
VSI_NUMBER = "Please answer the question using a single word or phrase."
VSI_CHOICE = "Answer with the option's letter from the given choices directly."

Outline = tuple[tuple[float, float], ...]


class PlanBox(Record):
    """An object from above: the corners of its outline, and whether the question is about it."""

    outline: Outline
    label: str
    asked: bool = False


class Plan(Record):
    """A scene from above, metres along x and y: boxes, the camera's path with the way it looks, and the lines of the answer."""

    boxes: tuple[PlanBox, ...]
    lines: tuple[Outline, ...] = ()
    path: tuple[tuple[float, float], ...] = ()
    headings: tuple[tuple[float, float], ...] = ()


@cache
def wordings() -> dict[str, list[str]]:
    """The wordings of each kind, read once."""
    text = resources.files("sightline.tasks.spatial").joinpath("wordings.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["questions"], dict[str, list[str]])


def ask_all(
    scene: Scene, footage: Footage, *, split: str, kinds: Sequence[str] = tuple(KINDS), dataset: str = "scans"
) -> Iterator[Outcome]:
    """The examples of a scene, kind by kind, and one ledger entry for each reason that candidates of a kind were dropped for."""
    asker = _Asker(scene, footage, split, dataset)
    for kind in kinds:
        found = KINDS[kind]()(scene)
        start = int(example_rng(scene.options.seed, f"{scene.place.scene_id}/{kind}/letters").integers(len(LETTERS) * 3))
        for number, fact in enumerate(found.facts):
            yield asker.example(fact, turn=start + number)
        yield from _drops(scene, kind, found)


def _drops(scene: Scene, kind: str, found: Found) -> Iterator[LedgerEntry]:
    for reason, count in sorted(found.drops.items()):
        detail = f"{count:,} candidate{'s' if count > 1 else ''}, the first: {found.instances[reason]}"
        yield LedgerEntry(unit=f"{scene.place.scene_id}/{kind}", reason=reason, detail=detail)


class _Asker:
    """Puts the facts of one scene into words."""

    def __init__(self, scene: Scene, footage: Footage, split: str, dataset: str) -> None:
        self.scene = scene
        self.dataset = dataset
        self.footage = footage
        self.split = split
        self.outlines = [_outline(corners) for corners in scene.corners[:, :, :2]]

    def example(self, fact: Fact, *, turn: int) -> Example:
        """`turn` says which letter is right."""
        scene_id = self.scene.place.scene_id
        example_id = f"{self.dataset}/{scene_id}/{fact.kind}/{fact.key}"
        options = self._lettered(fact, example_id, turn)
        wording = self._wording(fact.kind, example_id)
        labels = {each.object_id: each.label for each in self.scene.objects}
        prompt, answer = self._prompt(fact, options, wording), self._answer(fact, options)
        return Example(
            question=Question(
                id=example_id,
                task=TASK,
                prompt=prompt,
                images=self.footage.images,
                panels=self.footage.panels,
            ),
            truth=Truth(answer=answer, panel_index=0),
            split=self.split,
            group=f"{self.dataset}/{scene_id}",
            tier=fact.kind,
            object_id=fact.object_ids[0] if fact.object_ids else "",
            label=labels[fact.object_ids[0]] if fact.object_ids else None,
            slices={"wording": float(wording)} if self.scene.options.wording != "first" else {},
            wording=wording,
            evidence=self._evidence(fact, options, labels),
            published=Published(
                id=example_id,
                instruction="".join(part.text for part in prompt if isinstance(part, TextPart)).strip(),
                suffix=VSI_CHOICE if options else VSI_NUMBER,
                answer=answer.value if isinstance(answer, Choice) else f"{answer.value:g}",
                category=fact.kind,
            ),
        )

    def _lettered(self, fact: Fact, example_id: str, turn: int) -> tuple[str, ...]:
        """The options in the order they are shown: the right one at place `turn`, counted round, the others in a drawn order."""
        if not fact.options:
            return ()
        others = shuffled([each for each in fact.options if each != fact.answer], example_rng(self.scene.options.seed, example_id))
        place = turn % len(fact.options)
        return (*others[:place], str(fact.answer), *others[place:])

    def _answer(self, fact: Fact, options: tuple[str, ...]) -> Choice | Number:
        if options:
            return Choice(value=LETTERS[options.index(str(fact.answer))])
        return Number(value=float(fact.answer), unit=fact.unit)

    def _prompt(self, fact: Fact, options: tuple[str, ...], wording: int) -> tuple[Part, ...]:
        vsi = self.scene.options.words == "vsi"
        if options:
            words = VSI_CHOICE if vsi else ""
            form = AnswerForm(shape="choice", image_index=0, options=tuple(LETTERS[: len(options)]), words=words)
        else:
            form = AnswerForm(shape="number", image_index=0, unit=fact.unit, words=VSI_NUMBER if vsi else "")
        lines = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))
        values: dict[str, Part | str] = {
            **fact.values,
            "clip": self.footage.part,
            "options": f"Options:\n{lines}" if vsi else lines,
            "answer": form,
        }
        found = fill(wordings()[fact.kind][wording], values)
        return _after_video(found) if vsi else found

    def _wording(self, kind: str, example_id: str) -> int:
        count = len(wordings()[kind])
        match self.scene.options.wording:
            case "first":
                return 0
            case "mixed":
                return int(example_rng(self.scene.options.seed, f"{example_id}/wording").integers(count))
            case int(number) if 0 <= number < count:
                return number
        raise InputError(
            f"wording {self.scene.options.wording}: {kind} has the wordings 0 to {count - 1}. Give one of them, first or mixed."
        )

    def _evidence(self, fact: Fact, options: tuple[str, ...], labels: dict[str, str]) -> dict[str, str | float | int]:
        moments = self.scene.place.moments
        known = {"dataset": self.dataset, "scene_id": self.scene.place.scene_id, "question_type": fact.kind}
        evidence: dict[str, str | float | int] = {"rule": fact.kind, **fact.measured, **known}
        if options:
            evidence["label"] = str(fact.answer)
            evidence |= {f"option_{letter}": text for letter, text in zip(LETTERS, options, strict=False)}
        if fact.object_ids:
            evidence["objects"] = _json({object_id: labels[object_id] for object_id in fact.object_ids})
        if fact.frames:
            evidence["frames"] = _json([moments[frame].frame_id for frame in fact.frames])
        return evidence | {"plan": _json(self._plan(fact))}

    def _plan(self, fact: Fact) -> Plan:
        poses = self.scene.place.poses()
        return Plan(
            boxes=tuple(
                PlanBox(outline=outline, label=each.label, asked=each.object_id in fact.object_ids)
                for outline, each in zip(self.outlines, self.scene.objects, strict=True)
            ),
            lines=tuple(tuple((round(x, 3), round(y, 3)) for x, y in line) for line in fact.lines),
            path=tuple((round(float(pose[0, 3]), 2), round(float(pose[1, 3]), 2)) for pose in poses.values()),
            headings=tuple((round(float(pose[0, 2]), 2), round(float(pose[1, 2]), 2)) for pose in poses.values()),
        )


def _outline(corners: np.ndarray) -> Outline:
    """The convex outline of points in the plan, to the centimetre."""
    points = sorted({(round(float(x), 2), round(float(y), 2)) for x, y in corners})
    if len(points) < 3:
        return tuple(points)
    lower, upper = _half(points), _half(points[::-1])
    return (*lower[:-1], *upper[:-1])


def _half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for x, y in points:
        while len(kept) > 1:
            (x0, y0), (x1, y1) = kept[-2:]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            kept.pop()
        kept.append((x, y))
    return kept


def _after_video(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The benchmark's own sentence after the frames."""
    video, first, *rest = parts
    assert isinstance(first, TextPart), "a question follows the frames"
    return video, TextPart(text=VSI_BEFORE + first.text.lstrip("\n")), *rest


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
