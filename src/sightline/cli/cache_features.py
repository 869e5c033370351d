"""`sightline cache-features`: what frozen encoders make of a training's frames, computed once."""

import enum
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.errors import InputError


class StoredName(enum.StrEnum):
    bfloat16 = "bfloat16"
    float32 = "float32"


@app.command("cache-features")
def cache_features(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the features go; data.features of the training.")],
    overrides: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="As for `sightline train vlm`.")],
    *,
    config_name: Annotated[str, typer.Option("--config-name", help="A configuration of train vlm.")] = "config",
    config_dir: Annotated[Path | None, typer.Option("--config-dir", help="A folder of your own configurations.")] = None,
    stored: Annotated[StoredName, typer.Option(help="What numbers are rounded to on the disk.")] = StoredName.bfloat16,
    device: Annotated[str | None, typer.Option(help="A torch device; default: the GPU where there is one.")] = None,
    json: Json = False,
) -> None:
    """Keep what Spatial-MLLM's frozen encoders make of every video and picture that a training shows.

    Takes the configuration of the training, so that frames and sizes are the same. The same command goes on where it stopped, and
    adds what is missing. The room that is needed is counted before it starts.
    """
    from sightline.train.config.compose import compose  # noqa: PLC0415
    from sightline.train.config.typed import typed  # noqa: PLC0415

    composed = compose("vlm", [*overrides, f"data.features={out}"], config_name=config_name, config_dir=config_dir)
    if importlib.util.find_spec("torch") is None:
        raise InputError("cache-features needs torch, not installed here. Run: pip install 'sightline[models]'.")
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    from sightline.train.vlm.chat import open_chat  # noqa: PLC0415
    from sightline.train.vlm.kept_features import fill  # noqa: PLC0415
    from sightline.train.vlm.settings import VlmSettings  # noqa: PLC0415

    settings = typed(composed.values, VlmSettings, where=composed.where)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise InputError(f"--device {place!r}: expected cpu, cuda or cuda:N, and that it is here ({error}).") from error
    options = settings.model.options
    chat = open_chat(Path(settings.model.path), options, max_frames=settings.data.max_frames, view=settings.view)
    with progress(quiet=json) as bar:
        filled = fill(settings, chat, stored=stored.value, device=torch.device(place), progress=bar)
    row = (str(filled.num_units), str(filled.num_new), f"{filled.new_bytes:,}")
    emit(plain(filled), as_json=json, text=lambda: print_table(str(out), ("videos and pictures", "new", "bytes"), [row]))
