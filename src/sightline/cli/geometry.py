"""`sightline geometry`: cameras, depth and points of scenes from their pictures alone, by VGGT."""

import enum
import functools
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, print_table, progress
from sightline.errors import InputError


class ModeName(enum.StrEnum):
    crop = "crop"
    pad = "pad"


class DtypeName(enum.StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


@app.command()
def geometry(  # noqa: PLR0913 - one parameter an option
    sources: Annotated[list[Path], typer.Argument(help="Folders of pictures, or videos; one scene each.")],
    *,
    model: Annotated[Path, typer.Option(help="VGGT's weights: a folder with model.safetensors or model.pt, or such a file.")],
    out: Out,
    max_frames: Annotated[int, typer.Option(help="At most so many frames a scene, spread evenly.")] = 32,
    mode: Annotated[ModeName, typer.Option(help="crop: 518 wide; pad: 518 x 518 with white around.")] = ModeName.crop,
    metres_per_unit: Annotated[
        float | None, typer.Option(help="The length of the network's unit, where it is known.  [default: not known]")
    ] = None,
    min_confidence: Annotated[float, typer.Option(help="Leave out depth less sure than that; confidences begin at 1.")] = 0.0,
    dtype: Annotated[DtypeName, typer.Option(help="Of the aggregator; the heads are float32.")] = DtypeName.float32,
    device: Annotated[str | None, typer.Option(help="A torch device; default: the GPU where there is one.")] = None,
    json: Json = False,
) -> None:
    """Cameras, depth and points of scenes without a depth sensor, as prepared scans in OUT.

    The same command goes on where it stopped. Lengths are in the network's own unit unless --metres-per-unit is given. The weights
    VGGT-1B are for non-commercial use only; VGGT-1B-Commercial has another licence.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("geometry needs torch, not installed here. Run: pip install 'sightline[models]'.")
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    from sightline.models.vggt.scene import SceneOptions, scan_name, write_scene  # noqa: PLC0415
    from sightline.models.vggt.weights import load_vggt  # noqa: PLC0415

    names = [scan_name(source) for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"two sources are called {twice[0]!r}, the name of the scan in OUT. Give them one at a time, to folders of their own."
        )
    options = SceneOptions(max_frames=max_frames, mode=mode.value, metres_per_unit=metres_per_unit, min_confidence=min_confidence)
    options.check()
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise InputError(f"--device {place!r}: expected cpu, cuda or cuda:N, and that it is here ({error}).") from error
    network = load_vggt(model, dtype=getattr(torch, dtype.value)).model.to(place)
    done = []
    with progress(quiet=json) as bar:
        for source, name in zip(sources, names, strict=True):
            report = functools.partial(bar, name)
            done.append(write_scene(source, network, out, options=options, on_progress=report))

    rows = [(scene.path, scene.num_frames, "yes" if scene.new else "no") for scene in done]
    emit([plain(scene) for scene in done], as_json=json, text=lambda: print_table(str(out), ("scan", "frames", "new"), rows))
