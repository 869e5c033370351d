"""Answers that other tools have recorded: lmms-eval's samples, VLMEvalKit's prediction files, RoboRefer's and RoboPoint's JSONL,
and the result JSON of the x3 pipeline's evaluator (`export.x3.results`).

    lmms-eval    {"doc_id": 0, "target": "[(0.512, 0.334)]", "filtered_resps": "[(0.5, 0.3)]", "hit_exact": {"id": "t2b/..."}, ...}
    vlmevalkit   index  question  answer  ...  id  prediction         (TSV, as exported by us, with their column `prediction`)
    jsonl        {"question_id": 0, "text": "[(0.5, 0.3)]"}           (or "id" for "question_id", "answer" for "text")

Only the texts are used. A line belongs to the example that it names by id; one that has only a number belongs to the example at
that position of the task set, counted from 0. If a line also has the true answer, that must be the example's own in the declared
dialect: a file of another task set or dialect is refused, not scored. Where lmms-eval has stripped reasoning from a text, the
stripped one is read, as it was there. That RoboRefer writes the same keys as RoboPoint is inferred.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from sightline.dialects import Dialect, Size
from sightline.errors import InputError
from sightline.export.recorded import NAMED, RecordedTexts
from sightline.export.x3.results import read_texts
from sightline.export.x3.rows import name_of_ours
from sightline.taskset.store import TaskSet
from sightline.types import Example, Record

Format = Literal["lmms-eval", "vlmevalkit", "jsonl", "x3-results"]
ID_KEYS = ("question_id", "id")
TEXT_KEYS = ("text", "answer")


class Recorded(Record):
    """One answer of a file: an example's id or position, the text, the true answer if the file has it, and where it stands."""

    key: str | int
    text: str
    where: str
    truth: str | None = None


def read_answers(path: Path, kind: Format, *, taskset: TaskSet, dialect: Dialect, name: str | None = None) -> RecordedTexts:
    """The answers of a file as a model called `name` (the file's name if None).

    A result JSON of the x3 pipeline may hold answers to other examples too, under its ids or ours; they are passed over.

    Raises:
        FileNotFoundError: no such file.
        InputError: not of this format, two answers to one example, an answer to none of the task set's, or of another task set.
    """
    found = read_recorded(path, kind)
    texts = texts_of(found, taskset, dialect, others=kind == "x3-results")
    if not texts and kind != "x3-results":
        raise InputError(f"{path}: it has no answers.")
    return RecordedTexts(name=name or path.stem, kind=kind, path=path, texts=texts, dialect=dialect)


def read_recorded(path: Path, kind: Format) -> Iterator[Recorded]:
    """The answers of a file, one at a time.

    Raises:
        FileNotFoundError: no such file.
        InputError: not of this format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. Give a file of answers in the format {kind!r}.")
    return READERS[kind](path)


def texts_of(answers: Iterable[Recorded], taskset: TaskSet, dialect: Dialect, *, others: bool) -> dict[str, str]:
    """The texts by example id. `others`: answers to examples that the task set does not have are passed over.

    Raises:
        InputError: two answers to one example, one to none of them (without `others`), or one with another true answer.
    """
    ids = taskset.index["id"]
    known = {example_id: example_id for example_id in ids}
    known |= {theirs.theirs: example_id for example_id in ids if (theirs := name_of_ours(example_id))}
    found: dict[str, Recorded] = {}
    for answer in answers:
        example_id = known.get(_named(answer, ids))
        if example_id is None:
            if others:
                continue
            named = ", ".join(ids[:NAMED])
            raise InputError(
                f"{answer.where}: an answer to {answer.key!r}, which {taskset.path} does not have (it has {named}, ...)."
            )
        if example_id in found:
            raise InputError(
                f"{answer.where}: a second answer to {example_id!r}; the first is at {found[example_id].where}. Keep one of them."
            )
        if answer.truth is not None:
            _check_truth(answer.truth, taskset[example_id], dialect, answer.where)
        found[example_id] = answer
    return {example_id: answer.text for example_id, answer in found.items()}


def _named(recorded: Recorded, ids: Sequence[str]) -> str:
    if isinstance(recorded.key, str):
        return recorded.key
    if not 0 <= recorded.key < len(ids):
        raise InputError(f"{recorded.where}: answer number {recorded.key}, but the task set has the numbers 0 to {len(ids) - 1}.")
    return ids[recorded.key]


def _check_truth(truth: str, example: Example, dialect: Dialect, where: str) -> None:
    expected = dialect.encode(example.truth.answer, Size.all_of(example.question))
    if truth != expected:
        raise InputError(
            f"{where}: the true answer is {truth!r} there, but that of {example.id!r} is {expected!r} in the dialect "
            f"{dialect.name!r}. Give the task set and the dialect of the export."
        )


def _lmms_eval(path: Path) -> Iterator[Recorded]:
    for number, sample in _json_lines(path):
        where = f"{path}, line {number}"
        ids = {value["id"] for value in sample.values() if isinstance(value, dict) and isinstance(value.get("id"), str)}
        position = sample.get("doc_id")
        if len(ids) > 1 or (not ids and not isinstance(position, int)):
            raise InputError(f"{where}: expected a doc_id or one example id, found doc_id {position!r} and ids {sorted(ids)}.")
        if "filtered_resps" not in sample:
            raise InputError(
                f"{where}: no filtered_resps. Give a *_samples_*.jsonl file, which lmms-eval writes with --log_samples and "
                "--output_path."
            )
        text = sample["filtered_resps"]
        while isinstance(text, list) and len(text) == 1:
            text = text[0]
        if not isinstance(text, str):
            raise InputError(f"{where}: expected one text in filtered_resps, found {_shown(text)}. Ask each question once.")
        target = sample.get("target")
        key = ids.pop() if ids else int(position or 0)
        yield Recorded(key=key, text=text, where=where, truth=target if isinstance(target, str) else None)


def _vlmevalkit(path: Path) -> Iterator[Recorded]:
    if path.suffix.lower() not in (".tsv", ".txt"):
        raise InputError(f"{path}: expected a TSV file. Set PRED_FORMAT=tsv for VLMEvalKit, or save the table as TSV (UTF-8).")
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t")
        columns = table.fieldnames or ()
        if "prediction" not in columns or not {"id", "index"} & set(columns):
            raise InputError(f"{path}: expected columns prediction and index (or id), found {', '.join(columns) or 'none'}.")
        for row in table:
            key: str | int | None = row.get("id") or _whole_number(row.get("index"))
            if key is None or row["prediction"] is None:
                raise InputError(f"{path}, line {table.line_num}: expected an index and a prediction, found {_shown(row)}.")
            yield Recorded(key=key, text=row["prediction"], where=f"{path}, line {table.line_num}", truth=row.get("answer"))


def _jsonl(path: Path) -> Iterator[Recorded]:
    for number, line in _json_lines(path):
        keys = [line[name] for name in ID_KEYS if isinstance(line.get(name), str | int)]
        texts = [line[name] for name in TEXT_KEYS if isinstance(line.get(name), str)]
        if not keys or not texts:
            raise InputError(
                f"{path}, line {number}: expected one of {', '.join(ID_KEYS)} and one of {', '.join(TEXT_KEYS)} (a text), "
                f"found {_shown(line)}."
            )
        yield Recorded(key=keys[0], text=texts[0], where=f"{path}, line {number}")


def _x3_results(path: Path) -> Iterator[Recorded]:
    for row_id, text in read_texts(path).items():
        yield Recorded(key=row_id, text=text, where=f"{path}, result {row_id!r}")


READERS: dict[Format, Callable[[Path], Iterator[Recorded]]] = {
    "lmms-eval": _lmms_eval,
    "vlmevalkit": _vlmevalkit,
    "jsonl": _jsonl,
    "x3-results": _x3_results,
}


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InputError(f"{path}, line {number}: expected one JSON object a line ({error}).") from error


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
