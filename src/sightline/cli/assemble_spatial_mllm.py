"""`sightline assemble-spatial-mllm`: a Spatial-MLLM to be trained, from a Qwen-VL and a VGGT, or a tiny one."""

import enum
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, say
from sightline.errors import InputError


class FusionName(enum.StrEnum):
    mlp_add = "mlp_add"
    mlp_cat = "mlp_cat"
    cross_attn = "cross_attn"


@app.command("assemble-spatial-mllm")
def assemble(  # noqa: PLR0913 - one parameter an option
    *,
    out: Annotated[Path, typer.Option(help="The folder that is written.")],
    qwen: Annotated[Path | None, typer.Option(help="A Qwen2.5-VL or Qwen3-VL checkpoint.")] = None,
    vggt: Annotated[Path | None, typer.Option(help="VGGT's weights.")] = None,
    tiny: Annotated[list[Path] | None, typer.Option(help="A tiny one with fresh weights, for the words of a task set.")] = None,
    fusion: Annotated[FusionName, typer.Option(help="How geometry is taken in.")] = FusionName.mlp_add,
    layer: Annotated[int, typer.Option(help="The layer of VGGT that is fused.")] = -1,
    seed: Annotated[int, typer.Option(help="Of the weights that are drawn.")] = 0,
    json: Json = False,
) -> None:
    """A Spatial-MLLM to be trained: of --qwen and --vggt with a fresh connector, or --tiny to try the whole way on a CPU."""
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(f"this needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    if tiny:
        from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm  # noqa: PLC0415

        tiny_spatial_mllm(out, _words(tiny), fusion=fusion.value, seed=seed)
    elif qwen is not None and vggt is not None:
        from sightline.models.spatial_mllm.assembled import write_assembled  # noqa: PLC0415

        write_assembled(qwen, vggt, out, fusion=fusion.value, layer=layer, seed=seed)
    else:
        raise InputError("expected --qwen and --vggt, or --tiny TASKSET.")
    emit({"checkpoint": str(out)}, as_json=json, text=lambda: say(f"Written: {out}"))


def _words(tasksets: list[Path]) -> list[str]:
    """The words of the questions and answers of task sets."""
    from sightline.demo.tiny_sa2va import words_of  # noqa: PLC0415
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.export.rendered import render_all  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    texts: list[str] = []
    for folder in tasksets:
        for rendered in render_all(TaskSet(folder), get_dialect("qwen25")):
            texts += [rendered.answer, *(part for part in rendered.segments if isinstance(part, str))]
    words = words_of(texts)
    return [*words, *(f" {word}" for word in words)]
