"""Spatial QA as Qwen-VL fine-tuning records, which Qwen2.5-VL's, Qwen3-VL's and Spatial-MLLM's training code read.

    {"id": "mix_7", "video": "scannet/videos/scene0191_00.mp4", "conversations": [{"from": "human", "value": "<video>\\n..."},
                                                                                   {"from": "gpt", "value": "210"}],
     "dataset": "scannet", "scene_id": "scene0191_00", "question_type": "object_size_estimation"}

A file {task set}.jsonl, a line a record; the turns of one record stand in one again. Media are named by their paths from the data
root (`data_path` there), a video by its file, not by the frames that the task set shows. Words and answers are the authors', so
that a record that is read with `qa-json` and written is the same again; scene and question type are added, for the leak check. A
question that was asked without its media keeps their paths.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sightline.datasets.questions.qa_text import TAG, cut_at_tags
from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError
from sightline.export.files import Exported, noted, open_all
from sightline.export.rendered import render
from sightline.files import only_writer, whole_file
from sightline.tasks.spatial_qa import TASK
from sightline.types import AnswerForm, Example, ImagePart, TextPart, VideoPart

TAGS = {"image": "<image>", "video": "<video>"}
ADDED = ("system", "dataset", "scene_id", "question_type")  # from the evidence
MEDIUM = re.compile(r"(?:image|video)_[0-9]+")
ASKING = "qwen25"


def export_qwen_records(tasksets: Sequence[Path], out: Path, *, dialect: Dialect | None = None) -> Exported:
    """Write one JSONL file a task set below `out`. `dialect` says how to answer where the questions' authors do not.

    Raises:
        FileNotFoundError: a task set is not there.
        InputError: a task set of another task, or two of one name.
    """
    asking = dialect or get_dialect(ASKING)
    rows: dict[str, int] = {}
    with only_writer(out):
        for taskset in open_all(tasksets):
            if taskset.manifest.task != TASK:
                raise InputError(f"{taskset.path}: a task set of {taskset.manifest.task}; Qwen-VL records are written of {TASK}.")
            name = f"{taskset.manifest.name}.jsonl"
            count = 0
            with (
                noted(out, taskset.manifest.name, taskset, kind="qwen-records", dialect=asking, options={}),
                whole_file(out / name) as file,
            ):
                for record in records(taskset, asking):
                    file.write(msgspec.json.encode(record) + b"\n")
                    count += 1
            rows[name] = count
    return Exported(path=str(out), rows=rows)


def records(examples: Iterable[Example], dialect: Dialect) -> Iterator[dict[str, Any]]:
    """The records of examples in stored order; neighbours that are turns of one record stand in one.

    Raises:
        InputError: the words of a question hold a tag themselves.
    """
    turns: list[Example] = []
    for example in examples:
        if turns and not (example.evidence.get("turn") and _record_id(example) == _record_id(turns[-1])):
            yield _record(turns, dialect)
            turns = []
        turns.append(example)
    if turns:
        yield _record(turns, dialect)


def _record_id(example: Example) -> str:
    return example.id.rpartition("-")[0]


def _record(turns: Sequence[Example], dialect: Dialect) -> dict[str, Any]:
    first = turns[0]
    media: list[tuple[str, str]] = []
    said: list[dict[str, str]] = []
    for example in turns:
        said.append({"from": "human", "value": _asked(example, dialect, num_shown=len(media))})
        said.append({"from": "gpt", "value": _answered(example, dialect)})
        media += _media(example)[len(media) :]
    record: dict[str, Any] = {"id": first.published.id if first.published else first.id}
    for kind in TAGS:
        if paths := [path for what, path in media if what == kind]:
            record[kind] = paths[0] if len(paths) == 1 else paths
    record["conversations"] = said
    return record | {field: first.evidence[field] for field in ADDED if first.evidence.get(field)}


def _media(example: Example) -> list[tuple[str, str]]:
    """The media of an example, (image or video, path), in the order they are shown."""
    named = [(name.split("_"), value) for name, value in example.evidence.items() if MEDIUM.fullmatch(name)]
    found = [(kind, str(path)) for (kind, number), path in sorted(named, key=lambda each: int(each[0][1]))]
    if found or not example.question.images:
        return found
    raise InputError(
        f"example {example.id!r}: it names no video or picture file of its authors, because it was made from a scan's frames. "
        "Write such task sets with `sightline export llava`."
    )


def _asked(example: Example, dialect: Dialect, *, num_shown: int) -> str:
    """The user's turn, with a tag for each medium after the first `num_shown`."""
    published = example.published
    how = published.suffix if published else dialect.instruction(example.question.form)
    if not example.question.images and published:
        return "".join(TAGS[what] for what, _ in _media(example)[num_shown:]) + published.instruction + how
    pieces: list[str] = []
    num_media = 0
    for part in example.question.prompt:
        match part:
            case TextPart(text=text):
                _check_words(example, text)
                pieces.append(text)
            case ImagePart() | VideoPart():
                num_media += 1
                if num_media > num_shown:
                    pieces.append(TAGS["image" if isinstance(part, ImagePart) else "video"])
            case AnswerForm():
                pieces.append(how)
    return "".join(pieces)


def _check_words(example: Example, text: str) -> None:
    if any(TAG.fullmatch(piece) for piece in cut_at_tags(text)):
        raise InputError(f"example {example.id!r}: its words hold a tag that would be taken for a medium: {text[:80]!r}.")


def _answered(example: Example, dialect: Dialect) -> str:
    """The published answer, else the truth in the dialect's words."""
    if example.published and example.published.answer:
        return example.published.answer
    return render(example, dialect).answer
