"""A small VGGT that has learnt depth from prepared scans: what geometry features are where no published weights are at hand.

It has the published layout without heads: `models.vggt.weights` reads it with `heads=()`. Its aggregator is trained on whole scans
of one size with exact depth: a linear layer over the last tokens of a patch, which is thrown away afterwards, says the metres at
the middle of each quarter of the patch. The dense head of VGGT would do so for each pixel, at three times the work. Of other
rooms, or with another camera, so small a network knows nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt8

from sightline.errors import InputError
from sightline.files import inside, whole_folder, write_json
from sightline.media import read_depth, read_rgb
from sightline.types import Scan

if TYPE_CHECKING:
    from sightline.models.vggt.config import VggtConfig

BATCH = 8  # scans of a step
RATE, WARMUP, LAST = 1e-3, 50, 0.02  # of the optimiser; steps; share of the rate that is left in the end
CLIP = 1.0
QUARTER, MIDDLE = 7, 3  # pixels: the side of a quarter, and where its middle is


def tiny_config() -> "VggtConfig":
    """The sizes: three layers, 64 wide."""
    from sightline.models.vggt.config import VggtConfig  # noqa: PLC0415

    return VggtConfig(
        image_size=112,
        width=64,
        depth=3,
        num_heads=4,
        patch_depth=2,
        patch_heads=4,
        head_layers=(0, 1, 2, 2),
    )


def tiny_vggt(
    folder: Path,
    root: Path,
    scans: Sequence[Scan],
    *,
    steps: int,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> float | None:
    """Write the network to `folder`, whole or not at all, trained for `steps` steps; the mean error in metres over the last tenth
    of the steps, None without steps.

    Args:
        root: what the paths of `scans` are below.
        steps: 0 gives fresh weights.
        on_step: called with the steps done and all.

    Raises:
        InputError: `folder` is there already; or frames without depth, or of several numbers or sizes, or no multiples of 14.
    """
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra
    from safetensors.torch import save_file  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    from sightline.models.vggt.config import values_of_config  # noqa: PLC0415
    from sightline.models.vggt.model import Vggt  # noqa: PLC0415

    with whole_folder(folder) as partial, torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Vggt(tiny_config(), heads=())
        error = _fit(model, _read(root, scans), steps, seed, on_step) if steps else None
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, partial / "model.safetensors")
        write_json(partial / "config.json", values_of_config(model.config))
    return error


def _fit(
    model: Any,  # noqa: ANN401 - a Vggt
    seen: tuple[UInt8[np.ndarray, "n s h w 3"], Float32[np.ndarray, "n s patches 4"]],
    steps: int,
    seed: int,
    on_step: Callable[[int, int], None],
) -> float:
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    pictures, depths = seen
    rng = np.random.default_rng(seed)
    last, special = model.config.depth - 1, model.config.num_special
    says = torch.nn.Linear(2 * model.config.width, 4)
    parameters = [*model.parameters(), *says.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, steps))
    errors: list[float] = []
    model.train()
    for step in range(steps):
        chosen = rng.choice(len(pictures), min(BATCH, len(pictures)), replace=False)
        images = torch.from_numpy(pictures[chosen]).movedim(-1, 2).float() / 255
        tokens = model.aggregator(images, layers=[last])[last][:, :, special:]
        error = (says(tokens) - torch.from_numpy(depths[chosen])).abs().mean()
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        schedule.step()
        errors.append(float(error.detach()))
        on_step(step + 1, steps)
    return float(np.mean(errors[-max(1, steps // 10) :]))


def _share(step: int, steps: int) -> float:
    """Of the rate: a rise over the first steps, then half a cosine."""
    return min(1.0, (step + 1) / WARMUP) * (LAST + (1 - LAST) * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def _read(root: Path, scans: Sequence[Scan]) -> tuple[UInt8[np.ndarray, "n s h w 3"], Float32[np.ndarray, "n s patches 4"]]:
    """Colours of all frames of all scans, and metres at the middles of the quarters of their patches."""
    pictures, depths = [], []
    for scan in scans:
        for frame in scan.frames:
            if frame.depth is None:
                raise InputError(f"{scan.scan_id}, frame {frame.frame_id}: no depth. Give prepared scans that have it.")
            pictures.append(read_rgb(inside(root, frame.image)))
            depths.append(read_depth(inside(root, frame.depth), frame.metres_per_unit))
    shapes = sorted({each.shape[:2] for each in pictures} | {each.shape for each in depths})
    counts = sorted({len(scan.frames) for scan in scans})
    if len(shapes) != 1 or len(counts) != 1 or any(side % (2 * QUARTER) for side in shapes[0]):
        raise InputError(
            f"scans of {counts} frames of (height, width) {shapes}; expected one number of frames, and one size of colour and "
            f"depth whose sides are multiples of {2 * QUARTER}."
        )
    shown = np.stack(pictures).reshape(-1, counts[0], *shapes[0], 3)
    metres = np.stack(depths)[:, MIDDLE::QUARTER, MIDDLE::QUARTER]  # (frames, 2 rows, 2 columns)
    rows, columns = metres.shape[1] // 2, metres.shape[2] // 2
    by_patch = metres.reshape(-1, rows, 2, columns, 2).transpose(0, 1, 3, 2, 4)
    return shown, np.ascontiguousarray(by_patch).reshape(-1, counts[0], rows * columns, 4)
