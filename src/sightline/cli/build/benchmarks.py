"""`sightline build` for benchmarks and training files that bring their own questions."""

import enum
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.build.app import build_app
from sightline.cli.build.options import BuildOptions, takes_build_options
from sightline.cli.console import Json, Out, emit, plain, print_table, progress

if TYPE_CHECKING:
    from sightline.taskset.build import Built

HELP = {
    "refspatial-bench": "RefSpatial-Bench: task sets OUT/refspatial_bench-{location|placement|unseen}.",
    "refspatial": "RefSpatial, RoboRefer's training data: OUT/refspatial_{points|choice|yesno}-{file}, e.g. -2D_choice_qa.",
    "where2place": "Where2Place: the task set OUT/where2place-test.",
    "robospatial-home": "RoboSpatial-Home: OUT/robospatial_home-context, OUT/robospatial_home_yesno-{compatibility|configuration}.",
}


class Words(enum.StrEnum):
    dialect = "dialect"
    published = "published"


def _command(reader: str) -> Callable[..., None]:
    @takes_build_options
    def build_questions(
        *,
        root: Annotated[Path, typer.Option("--root", help="The data set's folder, as its authors publish it.")],
        out: Out,
        split: Annotated[list[str] | None, typer.Option(help="A part to build; may be given again. Default: all.")] = None,
        words: Annotated[
            Words,
            typer.Option(help="Who says how to write the answer: the model's dialect, or the benchmark's authors."),
        ] = Words.dialect,
        allow_shared_scenes: Annotated[
            bool, typer.Option("--allow-shared-scenes", help="Build although a test picture stands among training data in OUT.")
        ] = False,
        json: Json = False,
        crew: BuildOptions,
    ) -> None:
        from sightline.tasks.questions import QuestionOptions  # noqa: PLC0415
        from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415

        built: list[Built] = []
        with progress(quiet=json) as bar:
            for splits, tasks in _parts(reader, root, split or ()):
                request = BuildRequest(
                    reader=reader,
                    root=str(root),
                    splits=splits,
                    tasks=tasks,
                    options=QuestionOptions(words=words.value),
                    allow_shared_scenes=allow_shared_scenes,
                )
                built += build(
                    request,
                    out,
                    workers=crew.workers,
                    engine=crew.engine,
                    on_progress=lambda name, done, all_: bar(f"rows of {name}", done, all_),
                )
        emit(plain(built), as_json=json, text=lambda: _print(built))

    return build_questions


for _name, _help in HELP.items():
    build_app.command(_name, help=f"{_help} See docs/benchmarks.md.")(_command(_name))


def _parts(reader: str, root: Path, chosen: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The splits to build, those of the same tasks together."""
    from sightline.datasets.questions import QUESTION_READERS  # noqa: PLC0415

    reader_type = QUESTION_READERS[reader][0]()
    parts: dict[tuple[str, ...], list[str]] = {}
    for split in chosen or reader_type.splits(root):
        parts.setdefault(tuple(reader_type(root, split).tasks.values()), []).append(split)
    return [(tuple(splits), tasks) for tasks, splits in parts.items()]


def _print(built: "Sequence[Built]") -> None:
    def counts(numbers: dict[str, int]) -> str:
        return ", ".join(f"{name} {count}" for name, count in numbers.items()) or "none"

    rows = [
        (
            part.path,
            part.manifest.num_examples,
            counts(part.manifest.dropped),
            counts(part.manifest.altered),
            "complete before" if part.existed else "built",
        )
        for part in built
    ]
    print_table("Task sets", ("task set", "questions", "left out (see ledger.jsonl)", "altered", ""), rows)
