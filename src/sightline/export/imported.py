"""Answers that were recorded elsewhere, as a model for any task set: `import:PATH`.

PATH is one file of answers, or a folder, in which every `*.jsonl` and `*.tsv` at any depth is read, such as the `--output_path` of
lmms-eval with its logs of several tasks:

    logs/20261121_061051_samples_sightline_t2b_validation_22b9e8f9.jsonl    {"doc_id": 0, "target": "...", "filtered_resps": ...}

The format is told by the name (TSV is VLMEvalKit's, JSON the x3 pipeline's) and, of JSONL, by `filtered_resps`, which lmms-eval
alone writes. Answers are found by example id; a line with a mere number could belong to any task set, and is refused here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.export.predictions import Format, Recorded, read_recorded, texts_of
from sightline.export.recorded import RecordedTexts
from sightline.models import ModelOptions, NotApplicable
from sightline.models.options import served_dialect, split_name
from sightline.taskset.store import TaskSet

PREFIX = "import:"
FOLDER_SUFFIXES = (".jsonl", ".tsv")
LMMS_EVAL_KEY = b'"filtered_resps"'


@dataclass(frozen=True)
class ImportedAnswers:
    """The answers in `paths`, below `path`, of a model called `name` that writes `dialect`."""

    name: str
    path: Path
    paths: tuple[Path, ...]
    dialect: Dialect

    def answers_to(self, taskset: TaskSet) -> RecordedTexts:
        """A model of the answers to this task set.

        Raises:
            NotApplicable: there is no answer to any of its examples.
            InputError: a file that cannot be read, two answers to one example, or an answer with another true answer.
        """
        texts = texts_of(self._all(), taskset, self.dialect, others=True)
        if not texts:
            raise NotApplicable(
                f"{self.path}: {len(self.paths)} files, but no answer to any example of {taskset.path}. Give the task set that was "
                "asked."
            )
        return RecordedTexts(name=self.name, kind="import", path=self.path, texts=texts, dialect=self.dialect)

    def _all(self) -> Iterator[Recorded]:
        for path in self.paths:
            for recorded in read_recorded(path, _format(path)):
                if not isinstance(recorded.key, str):
                    raise InputError(
                        f"{recorded.where}: an answer with a number ({recorded.key}) and no example id could belong to any task "
                        "set. Import it for its own: `sightline import predictions FILE --taskset TASKSET`."
                    )
                yield recorded


def imported_answers(spec: str, options: ModelOptions) -> ImportedAnswers:
    """What `import:PATH` or `NAME=import:PATH` means. Without NAME it is called as the file or folder is.

    Raises:
        FileNotFoundError: no such file or folder, or no file of answers in it.
        InputError: no dialect is declared.
    """
    name, spec = split_name(spec)
    rest = spec.removeprefix(PREFIX)
    path = Path(rest).expanduser()
    if not path.exists() or not rest:
        raise FileNotFoundError(f"{spec}: no such file or folder. Give recorded answers, e.g. lmms-eval's --output_path.")
    inside = path.rglob("*") if path.is_dir() else [path]
    paths = tuple(sorted(found for found in inside if found.is_file() and (found == path or found.suffix in FOLDER_SUFFIXES)))
    if not paths:
        raise FileNotFoundError(
            f"{path}: no file of answers in this folder (*{', *'.join(FOLDER_SUFFIXES)}). lmms-eval writes them with --log_samples."
        )
    name = name or (path.resolve().name if path.is_dir() else path.stem)
    return ImportedAnswers(name=name, path=path, paths=paths, dialect=served_dialect(options, name))


def is_imported(spec: str) -> bool:
    """Whether `imported_answers` knows this spec."""
    return split_name(spec)[1].startswith(PREFIX)


def _format(path: Path) -> Format:
    if path.suffix == ".json":
        return "x3-results"
    if path.suffix == ".tsv":
        return "vlmevalkit"
    with path.open("rb") as file:
        return "lmms-eval" if LMMS_EVAL_KEY in next((line for line in file if line.strip()), b"") else "jsonl"
