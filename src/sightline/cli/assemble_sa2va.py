"""`sightline assemble-sa2va`: a Sa2VA to be trained, from a language model that sees and a SAM 2.0."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, say
from sightline.errors import InputError


@app.command("assemble-sa2va")
def assemble(
    *,
    mllm: Annotated[Path, typer.Option(help="InternVL 2.5 or 3 (not -hf), Qwen2.5-VL or Qwen3-VL: its folder.")],
    sam2: Annotated[Path, typer.Option(help="A SAM 2.0: a transformers folder, or a .pt with --sam2-config.")],
    out: Annotated[Path, typer.Option(help="The folder that is written.")],
    sam2_config: Annotated[Path | None, typer.Option(help="The YAML of a .pt.")] = None,
    seed: Annotated[int, typer.Option(help="Of the weights that are drawn.")] = 0,
    json: Json = False,
) -> None:
    """A Sa2VA before its training: the two as they are, with [SEG] and the projection new."""
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(f"this needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    from sightline.models.sa2va.assembled import write_assembled  # noqa: PLC0415

    write_assembled(mllm, sam2, out, sam2_yaml=sam2_config, seed=seed)
    emit({"checkpoint": str(out)}, as_json=json, text=lambda: say(f"Written: {out}"))
