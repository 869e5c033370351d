"""`sightline geometry`: cameras, depth and points of scenes from their pictures alone, by VGGT."""

import enum
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, print_table, progress
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.models.vggt.model import HeadName, Vggt


class ModeName(enum.StrEnum):
    crop = "crop"
    pad = "pad"


NetworkPath = Annotated[
    Path,
    typer.Option(
        "--model", help="VGGT's weights: a folder with model.safetensors or model.pt, or such a file; or a published Spatial-MLLM."
    ),
]
NetworkDtype = Annotated[Literal["float32", "bfloat16"], typer.Option("--dtype", help="Of the aggregator; the heads are float32.")]
Device = Annotated[str | None, typer.Option("--device", help="A torch device; default: the GPU where there is one.")]


@app.command()
def geometry(  # noqa: PLR0913 - one parameter an option
    sources: Annotated[list[Path], typer.Argument(help="Folders of pictures, prepared scans, or videos; one scene each.")],
    *,
    model: NetworkPath,
    out: Out,
    max_frames: Annotated[int, typer.Option(help="At most so many frames a scene, spread evenly.")] = 32,
    mode: Annotated[ModeName, typer.Option(help="crop: 518 wide; pad: 518 x 518 with white around.")] = ModeName.crop,
    metres_per_unit: Annotated[
        float | None, typer.Option(help="The length of the network's unit, where it is known.  [default: not known]")
    ] = None,
    min_confidence: Annotated[float, typer.Option(help="Leave out depth less sure than that; confidences begin at 1.")] = 0.0,
    dtype: NetworkDtype = "float32",
    device: Device = None,
    json: Json = False,
) -> None:
    """Cameras, depth and points of scenes without a depth sensor, as prepared scans in OUT.

    The same command goes on where it stopped. Lengths are in the network's own unit unless --metres-per-unit is given. The weights
    VGGT-1B are for non-commercial use only; VGGT-1B-Commercial has another licence.
    """
    _require_torch()
    from sightline.models.vggt.scene import SceneOptions, write_scene  # noqa: PLC0415
    from sightline.models.vggt.sources import source_name  # noqa: PLC0415

    names = [source_name(source) for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"two sources are called {twice[0]!r}, the name of the scan in OUT. Give them one at a time, to folders of their own."
        )
    options = SceneOptions(max_frames=max_frames, mode=mode.value, metres_per_unit=metres_per_unit, min_confidence=min_confidence)
    options.check()
    network = open_network(model, dtype=dtype, device=device)
    done = []
    with progress(quiet=json) as bar:
        for source, name in zip(sources, names, strict=True):
            report = functools.partial(bar, name)
            done.append(write_scene(source, network, out, options=options, on_progress=report))

    rows = [(scene.path, scene.num_frames, "yes" if scene.new else "no") for scene in done]
    emit([plain(scene) for scene in done], as_json=json, text=lambda: print_table(str(out), ("scan", "frames", "new"), rows))


def open_network(
    model: Path, *, heads: "Sequence[HeadName]" = ("camera", "depth", "point"), dtype: str, device: str | None
) -> "Vggt":
    """The network at `model`, on its device.

    Raises:
        FileNotFoundError: no weights there.
        InputError: torch is not installed, no such device here, or not VGGT's weights.
    """
    _require_torch()
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    from sightline.models.spatial_mllm.vggt_of import open_vggt  # noqa: PLC0415

    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise InputError(f"--device {place!r}: expected cpu, cuda or cuda:N, and that it is here ({error}).") from error
    return open_vggt(model, heads=heads, dtype=getattr(torch, dtype)).model.to(place)


def _require_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise InputError("this needs torch, not installed here. Run: pip install 'sightline[models]'.")
