"""SAM 2 on a GPU: one table of training steps and propagation, for all published sizes at 512 and 1024 px, weights random.

    python -m benchmarks.gpu_sam2 [--out gpu_sam2.json]     # every size; needs CUDA
    python -m benchmarks.gpu_sam2 --dry                     # the same path in seconds: tiny, 64 px, on the CPU

A training step is forward, loss and backward of one clip in bfloat16, blocks checkpointed, image encoder frozen or not, without the
optimiser. MFU = FLOPs of the step / (seconds * peak), the peak being the GPU's dense bfloat16 figure (`PEAKS`, or --peak-tflops).
FLOPs are counted by `torch.utils.flop_counter` in a step without checkpointing, encoder included: what checkpointing computes again
is no use made of the GPU. "-" stands where that step does not fit into memory. Propagation follows 8 objects in bfloat16, ours at
once and transformers' loop one by one.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.sam2_propagate import clip, ours, stock
from benchmarks.sam2_step import our_step

STEP_FRAMES, STEP_OBJECTS, FOLLOWED_FRAMES, FOLLOWED_OBJECTS = 4, 3, 16, 8
WARM_UP, ROUNDS = 2, 5
PEAKS = {
    "H200": 989,
    "H100": 989,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "4090": 165,
}  # dense bfloat16 TFLOP/s, of NVIDIA's data sheets
SIZES: dict[str, dict[str, Any]] = {  # the numbers of the published sam2.1_hiera_*.yaml
    "tiny": {"embed_dim": 96, "num_heads": 1, "stages": [1, 2, 7, 2], "global_att_blocks": [5, 7, 9], "background": [7, 7]},
    "small": {"embed_dim": 96, "num_heads": 1, "stages": [1, 2, 11, 2], "global_att_blocks": [7, 10, 13], "background": [7, 7]},
    "base+": {"embed_dim": 112, "num_heads": 2, "stages": [2, 3, 16, 3], "global_att_blocks": [12, 16, 20], "background": [14, 14]},
    "large": {
        "embed_dim": 144, "num_heads": 2, "stages": [2, 6, 36, 4], "global_att_blocks": [23, 33, 43], "background": [7, 7],
        "window_spec": [8, 4, 16, 8],
    },
}  # fmt: skip
COLUMNS = ("size", "side", "task", "per_second", "peak_gib", "tflop", "mfu")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="tiny at 64 px on the CPU")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    parser.add_argument("--peak-tflops", type=float, help="the GPU's dense bfloat16 peak, where it is not known here")
    how = parser.parse_args(arguments)
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    if not how.dry and not torch.cuda.is_available():
        print(f"no CUDA device for torch {torch.__version__}: nothing measured. --dry runs the same path on the CPU.")
        return
    device = "cpu" if how.dry else "cuda"
    name = "the CPU" if how.dry else torch.cuda.get_device_name()
    peak = how.peak_tflops or next((tflops for part, tflops in PEAKS.items() if part in name), None)
    print(f"{name}, torch {torch.__version__}; MFU = FLOPs / (seconds * {f'{peak:g} TFLOP/s' if peak else 'unknown peak'})")
    print("".join(f"{column:>24}" if column == "task" else f"{column:>12}" for column in COLUMNS), flush=True)
    rows = []
    for size, side in (("tiny", 64),) if how.dry else [(size, side) for size in SIZES for side in (512, 1024)]:
        for measure in (_steps, _propagation):
            try:
                found = measure(size, side, device, peak)
            except torch.OutOfMemoryError as error:
                print(
                    f"{size} at {side} px, {measure.__name__.strip('_')}: out of GPU memory ({str(error).splitlines()[0]})",
                    flush=True,
                )
                continue
            rows += found
            print("\n".join(_line(row) for row in found), flush=True)
    if how.out:
        how.out.write_text(json.dumps({"device": name, "torch": torch.__version__, "peak_tflops": peak, "rows": rows}, indent=1))


def config_of_size(size: str, side: int) -> Any:
    """The published network of a size, for a square input of `side` pixels."""
    from sightline.models.sam2.architecture import config_of_original, resized  # noqa: PLC0415

    trunk = dict(SIZES[size])
    trunk["window_pos_embed_bkg_spatial_size"] = trunk.pop("background")
    channels = [trunk["embed_dim"] * 2**stage for stage in range(3, -1, -1)]
    attention = {"num_heads": 1, "downsample_rate": 1, "dropout": 0.1}
    layer = {"dim_feedforward": 2048, "dropout": 0.1, "self_attention": attention, "cross_attention": attention}
    original = {
        "image_encoder": {"trunk": trunk, "neck": {"d_model": 256, "backbone_channel_list": channels}},
        "memory_attention": {"d_model": 256, "num_layers": 4, "layer": layer},
        "memory_encoder": {"out_dim": 64, "fuser": {"num_layers": 2}},
        "num_maskmem": 7,
        "image_size": 1024,
        "sigmoid_scale_for_mem_enc": 20.0,
        "sigmoid_bias_for_mem_enc": -10.0,
        "no_obj_embed_spatial": True,
        "proj_tpos_enc_in_obj_ptrs": True,
    }
    return resized(config_of_original(original), side)


def _steps(size: str, side: int, device: str, peak: float | None) -> list[dict[str, Any]]:
    """Training, with the image encoder frozen and without."""
    import torch  # noqa: PLC0415

    from sightline.models.sam2.blocks import checkpoint_blocks  # noqa: PLC0415
    from sightline.models.sam2.parts import freeze  # noqa: PLC0415

    rows = []
    frames, first = (each.to(device) for each in clip(STEP_FRAMES, STEP_OBJECTS, side))
    masks = first.float().expand(STEP_FRAMES, -1, -1, -1)
    for frozen in (True, False):
        model = _model(size, side, device).train()
        freeze(model.model, ("image_encoder",) if frozen else ())
        with torch.autocast(device, torch.bfloat16):
            flops = _flops(lambda model=model: our_step(model, frames, masks))
            checkpoint_blocks(model.model, memory_attention=True)
            seconds, memory = _measured(lambda model=model: our_step(model, frames, masks), device)
        task = "step, encoder frozen" if frozen else "step, all trained"
        rows.append(_row(size, side, task, 1 / seconds, memory, flops, seconds, peak))
    return rows


def _propagation(size: str, side: int, device: str, peak: float | None) -> list[dict[str, Any]]:
    """Following objects: frames a second."""
    import torch  # noqa: PLC0415

    frames, masks = (each.to(device) for each in clip(FOLLOWED_FRAMES, FOLLOWED_OBJECTS, side))
    model = _model(size, side, device).eval()
    rows = []
    ways: dict[str, Callable[[], Any]] = {
        "8 objects, ours": lambda: ours(model, frames, masks),
        "8 objects, transformers": lambda: stock(model.model, frames, masks),
    }
    for task, run in ways.items():
        with torch.autocast(device, torch.bfloat16):
            flops = _flops(run)
            seconds, memory = _measured(run, device)
        rows.append(_row(size, side, task, FOLLOWED_FRAMES / seconds, memory, flops, seconds, peak))
    return rows


def _model(size: str, side: int, device: str) -> Any:
    from sightline.models.sam2.clip import ClipModel  # noqa: PLC0415
    from sightline.models.sam2.parts import fresh_model  # noqa: PLC0415

    return ClipModel(fresh_model(config_of_size(size, side), seed=1)).to(device)


def _flops(run: Callable[[], Any]) -> int | None:
    """What one run computes, products, convolutions and attention only; None where it does not fit into the GPU's memory."""
    import torch  # noqa: PLC0415
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    counter = FlopCounterMode(display=False)
    try:
        with counter:
            run()
    except torch.OutOfMemoryError:
        return None
    return counter.get_total_flops()


def _measured(run: Callable[[], Any], device: str) -> tuple[float, float | None]:
    """Median seconds of a run, and the peak of the GPU's memory in GiB."""
    import torch  # noqa: PLC0415

    wait = torch.cuda.synchronize if device == "cuda" else nullcontext
    warm_up, rounds = (WARM_UP, ROUNDS) if device == "cuda" else (0, 1)
    for _ in range(warm_up):
        run()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(rounds):
        wait()
        started = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - started)
    return statistics.median(times), torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None


def _row(*found: Any) -> dict[str, Any]:
    size, side, task, per_second, memory, flops, seconds, peak = found
    tflop = None if flops is None else flops / 1e12
    mfu = tflop / (seconds * peak) if tflop and peak else None
    values = (size, side, task, per_second, memory, tflop, mfu)
    return dict(zip(COLUMNS, values, strict=True))


def _line(row: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)

    return "".join(f"{shown(row[column]):>24}" if column == "task" else f"{shown(row[column]):>12}" for column in COLUMNS)


if __name__ == "__main__":
    main()
