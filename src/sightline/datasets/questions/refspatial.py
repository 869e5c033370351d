"""RefSpatial, the training data of RoboRefer: pictures with conversations, points as text.

    {root}/2D/choice_qa.json            [{"id": "ab12", "image": "ab12.jpg" | ["a.png", "b.png"], "depth": "ab12.png" | [...],
                                          "conversations": [{"from": "human", "value": "<image> <depth>\\nPlease point out ..."},
                                                            {"from": "gpt", "value": "[(0.512, 0.334)]"}, ...]}, ...]
    {root}/2D/{image,depth}/, 3D/{image,depth}/, 3D/image_multi_view/, 3D/depth_multi_view/, 3D/image_visual_choice/
    {root}/Simulator/metadata.json, Simulator/{image,depth}/

A split is a JSON file (`2D_choice_qa`). Every pair of turns is a question of its own. Its answer is points, one of the lettered
options of the question, or yes or no; any other is free text, which no task asks for yet, and is counted. Depth is of 8 bits in
three equal channels, near bright: a picture for RoboRefer's depth encoder, not metres.

Surprises: media tokens stand in the first turn and mean nothing (the loader removes them); fields that are not known are passed
over and noted; points of a sample with several pictures do not say in which of them they lie. Layout: Zhoues/RoboRefer (README,
Training), JingkunAn/RefSpatial.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from sightline.datasets import check_split
from sightline.datasets.questions.point_text import asks_for_several, split_suffix
from sightline.datasets.questions.records import decode_record, existing, json_records
from sightline.datasets.questions.turns import Turn, pairs, turn_target
from sightline.errors import InputError
from sightline.types import Inquiry, LedgerEntry, PictureFile, PointsTarget

FOLDERS = {  # of pictures and of depth, by split
    "2D_choice_qa": ("2D/image", "2D/depth"),
    "2D_reasoning_template_qa": ("2D/image", "2D/depth"),
    "3D_choice_qa": ("3D/image", "3D/depth"),
    "3D_reasoning_template_qa": ("3D/image", "3D/depth"),
    "3D_vacant_qa": ("3D/image", "3D/depth"),
    "3D_multi_view_qa": ("3D/image_multi_view", "3D/depth_multi_view"),
    "3D_visual_choice_qa": ("3D/image_visual_choice", "3D/depth"),
    "Simulator_metadata": ("Simulator/image", "Simulator/depth"),
}
FILES = {split: f"{split.replace('_', '/', 1)}.json" for split in FOLDERS}


class Sample(msgspec.Struct, frozen=True):
    """One row. Fields beyond these and `KNOWN` are passed over."""

    conversations: list[Turn]
    id: str | int | None = None
    image: str | list[str] | None = None
    depth: str | list[str] | None = None


KNOWN = {"id", "image", "depth", "conversations", "thinking"}


class RefSpatial:
    """The questions of one JSON file; an index is a row, which holds several.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file in it, or it is no JSON list.
    """

    tasks: Mapping[str, str] = {"points": "refspatial_points", "letter": "refspatial_choice", "yes_no": "refspatial_yesno"}
    role = "train"

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split = root, split
        self._path = root / FILES[split]
        self._pictures, self._depth_pictures = FOLDERS[split]
        self._rows = json_records(self._path)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The known JSON files found under `root`."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds 2D/, 3D/ and Simulator/.")
        found = [split for split, name in FILES.items() if (root / name).is_file()]
        if not found:
            raise InputError(f"{root} is not RefSpatial: expected one of {', '.join(FILES.values())} in it.")
        return found

    def sources(self) -> list[Path]:
        return [self._path]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Inquiry | LedgerEntry, ...]:
        row = self._rows[index]
        sample = decode_record(row, Sample, index=index, path=self._path, root=self.root)
        if isinstance(sample, LedgerEntry):
            return (sample,)
        unit = f"{self.split}/{index}"
        names = _listed(sample.image)
        pictures = [existing(self.root, self._pictures, name, unit, what="picture") for name in names]
        if problem := next((picture for picture in pictures if isinstance(picture, LedgerEntry)), None):
            return (problem,)
        if not names:
            detail = f"row {index} names no picture"
            return (LedgerEntry(unit=unit, reason="picture_missing", detail=detail, path=FILES[self.split]),)
        shown = tuple(picture for picture in pictures if isinstance(picture, PictureFile))
        depths, notes = self._depths(sample, len(names), unit)
        if unknown := sorted(msgspec.json.decode(row).keys() - KNOWN):
            detail = f"row {index}: fields that are not known were passed over: {', '.join(unknown)}"
            notes.append(LedgerEntry(unit=unit, reason="unknown_field", detail=detail, action="altered", path=FILES[self.split]))
        return (*notes, *self._turns(sample, index, shown, depths))

    def _depths(self, sample: Sample, count: int, unit: str) -> tuple[tuple[PictureFile, ...], list[LedgerEntry]]:
        """The depth pictures if each picture has one; else none, and why."""
        names = _listed(sample.depth)
        if not names:
            return (), []
        found = [existing(self.root, self._depth_pictures, name, unit, what="depth") for name in names]
        problem = next((depth for depth in found if isinstance(depth, LedgerEntry)), None)
        if problem is None and len(found) == count:
            return tuple(depth for depth in found if isinstance(depth, PictureFile)), []
        detail = problem.detail if problem else f"{len(found)} depth pictures for {count} pictures"
        return (), [LedgerEntry(unit=unit, reason="depth_unusable", detail=detail, action="altered")]

    def _turns(
        self, sample: Sample, index: int, pictures: tuple[PictureFile, ...], depths: tuple[PictureFile, ...]
    ) -> Iterator[Inquiry | LedgerEntry]:
        for number, pair in enumerate(pairs(sample.conversations, f"{self.split}/{index}")):
            if isinstance(pair, LedgerEntry):
                yield pair
                continue
            asked, said = pair
            instruction, suffix = split_suffix(asked)
            target = turn_target(instruction, suffix, said, num_pictures=len(pictures))
            if isinstance(target, str):
                yield LedgerEntry(unit=f"{self.split}/{index}-{number}", reason=target, detail=f"answer {said[:80]!r}")
                continue
            yield Inquiry(
                inquiry_id=f"{index}-{number}",
                published_id=str(sample.id) if sample.id is not None else str(index),
                instruction=instruction,
                suffix=suffix,
                several=isinstance(target, PointsTarget) and (asks_for_several(suffix) or len(target.points_norm) > 1),
                pictures=pictures,
                target=target,
                answer_text=said,
                category=self.split,
                depths=depths,
            )


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []
