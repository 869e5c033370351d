"""`sightline check`: one batch put together as training does, and what is to be learnt from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress, say

if TYPE_CHECKING:
    from sightline.train.vlm.check import CheckedBatch

PASSED = "OK: one-batch check passed"


@app.command()
def check(
    what: Annotated[str, typer.Argument(metavar="TASKSET|FILE|CONFIG", help="A task set, a JSON file, or a configuration's name.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="As for `sightline train vlm`.")] = None,
    *,
    config_dir: Annotated[Path | None, typer.Option("--config-dir", help="A folder of your own configurations.")] = None,
    json: Json = False,
) -> None:
    """Put the first batch of a training together and show it: pictures, shapes, tokens, and in colour what is to be learnt.

    Needs model.path=FOLDER for the processor; no weights are loaded.
    """
    from sightline.train.config.compose import compose  # noqa: PLC0415
    from sightline.train.config.typed import typed  # noqa: PLC0415

    is_data = Path(what).exists()
    given = [*([f"data.path={Path(what).resolve()}"] if is_data else []), *(overrides or [])]
    composed = compose("vlm", given, config_name="config" if is_data else what, config_dir=config_dir)
    from sightline.train.vlm.check import check_batch  # noqa: PLC0415
    from sightline.train.vlm.prepare import prepare  # noqa: PLC0415
    from sightline.train.vlm.settings import VlmSettings  # noqa: PLC0415

    settings = typed(composed.values, VlmSettings, where=composed.where)
    with progress(quiet=json) as bar:
        prepared = prepare(settings, progress=bar, report=lambda line: None if json else say(line))
    checked = check_batch(settings, prepared)
    emit({"passed": True, **plain(checked)}, as_json=json, text=lambda: _print(checked))


def _print(checked: "CheckedBatch") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for sample in checked.samples:
        console.print(Text(f"{sample.source}, sample {sample.id}", style="bold"))
        shown = Text()
        for stretch in sample.stretches:
            # without colours the brackets tell what is supervised
            words = stretch.text if console.is_terminal or not stretch.supervised else f"⟦{stretch.text}⟧"
            shown.append(words, style="bold green" if stretch.supervised else "dim")
        console.print(shown)
    rows = [
        (f"{sample.source}/{sample.id}", sample.num_pictures, sample.num_depths, sample.num_tokens, sample.num_supervised)
        for sample in checked.samples
    ]
    print_table("samples of the batch", ("sample", "images", "depth maps", "tokens", "supervised"), rows)
    print_table("tensors", ("tensor", "shape"), [(name, " x ".join(map(str, shape))) for name, shape in checked.shapes.items()])
    print(f"padding: {checked.padding:.1%} of the tokens")
    print(PASSED)
