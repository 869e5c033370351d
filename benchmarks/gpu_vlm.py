"""Training steps of vision-language models on a GPU, in one table: packs and padding, the head, pictures once, and transformers'
own Trainer on the same data; shapes of published models, random weights.

    python -m benchmarks.gpu_vlm --model qwen3-vl-2b [--out gpu_vlm.json]    # needs CUDA; a model a command stays below ten minutes
    python -m benchmarks.gpu_vlm --tiny --device cpu                        # the same path in a minute: tiny models

A step is forward, loss, backward and AdamW, everything trained, in bfloat16 on a GPU. The ways with a data set have the same
samples, in rows of their kind, loaded by worker processes, for `--seconds` after two steps that do not count. MFU is the least work
of the useful tokens and pictures (formula in `gpu_vlm_shapes`, vision tower included) by the time and the GPU's dense bfloat16
peak, so that needless work lowers it. `stall` is the share of the time without a batch, `padding` that of the tokens. Data: rooms
with sentences and conversations (`vlm_packing`), all pairs of views of rooms, and short questions about one picture with a point
as answer.
"""

import argparse
import gc
import json
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu_sam2 import PEAKS
from benchmarks.gpu_vlm_shapes import SHAPES, model_of_shape, processor_folder
from benchmarks.gpu_vlm_ways import TOGETHER, Bench, Way, measured
from benchmarks.vlm_packing import built, conversations, task_sets
from sightline.demo.rooms import write_rooms
from sightline.models.options import ModelOptions
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.chat import Chat, open_chat
from sightline.train.vlm.samples import Source
from sightline.train.vlm.taskset_source import TaskSetSource

COLUMNS = ("model", "data", "way", "tokens/s", "supervised/s", "samples/s", "mfu", "stall", "padding", "peak GiB", "steps")


def main(arguments: list[str] | None = None) -> None:
    how = _parsed(arguments)
    if missing := [package for package in ("torch", "transformers", "accelerate") if find_spec(package) is None]:
        print(f"needs {' and '.join(missing)}: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    import sightline  # noqa: F401, PLC0415 - mends torchvision before transformers looks at it

    if how.device == "cuda" and not torch.cuda.is_available():
        print(f"no CUDA device for torch {torch.__version__}: nothing measured. --tiny --device cpu runs the same path on the CPU.")
        return
    if how.device == "cpu" and not how.tiny:
        print("models of these sizes are not for a CPU: nothing measured. Add --tiny.")
        return
    name = torch.cuda.get_device_name() if how.device == "cuda" else "the CPU"
    how.peak_tflops = peak = how.peak_tflops or next((tflops for part, tflops in PEAKS.items() if part in name), None)
    print(
        f"{name}, torch {torch.__version__}, peak {f'{peak:g} TFLOP/s' if peak else 'unknown'}; MFU = least work / (seconds * peak)"
    )
    print("least work = 3 * (2 * (layers * tokens + head * supervised + blocks * patches + merger * picture tokens) + attention)")
    rows: list[dict[str, Any]] = []
    for model in how.model:
        rows += _of_model(model, how)
    if how.out:
        how.out.write_text(json.dumps({"device": name, "torch": torch.__version__, "peak_tflops": peak, "rows": rows}, indent=1))


def ways(tiny: bool) -> list[Way]:
    """The rows of the table. Padding has `TOGETHER` samples a step, drawn at random or of about one length."""
    capacity = 2048 if tiny else 8192
    packed, grouped = Batching("packed", capacity, 1), Batching("grouped", capacity, TOGETHER)
    return [
        Way("mixture", "packed", packed),
        Way("mixture", "packed, head on all", packed, whole_head=True),
        Way("mixture", "padded, by length", grouped),
        Way("mixture", "padded, at random", Batching("padded", capacity, TOGETHER)),
        Way("all pairs", "packed by scene", Batching("packed", capacity, 1, "group")),
        Way("all pairs", "pictures repeated", Batching("packed", capacity, 1, "group"), shared=False),
        Way("points", "packed", packed),
        Way("points", "one by one", Batching("padded", capacity, 1)),
        # last, for accelerate leaves its mark on the model's forward method
        Way("mixture", "transformers Trainer", Batching("padded", capacity, TOGETHER), by_transformers=True),
    ]


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=tuple(SHAPES), help="a shape; several times for several, none for all")
    parser.add_argument("--tiny", action="store_true", help="tiny models of the same kinds")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=25.0, help="time of each row of the table")
    parser.add_argument("--workers", type=int, default=4, help="processes that load batches")
    parser.add_argument("--isolation", choices=("auto", "flash", "flex", "segments", "mask"), default="auto")
    parser.add_argument("--peak-tflops", type=float, help="the GPU's dense bfloat16 peak, where it is not known here")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    how = parser.parse_args(arguments)
    how.model = how.model or list(SHAPES)
    return how


def _of_model(name: str, how: argparse.Namespace) -> list[dict[str, Any]]:
    import torch  # noqa: PLC0415

    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        factor = 28 if name.startswith("qwen2.5") else 32
        limits = (4, 12) if how.tiny else (256, 320)
        processor = processor_folder(name, folder / "model")
        chat = open_chat(processor, ModelOptions(min_pixels=limits[0] * factor**2, max_pixels=limits[1] * factor**2))
        sources = _sources(folder, chat, tiny=how.tiny)
        model = model_of_shape(name, processor, device=how.device, tiny=how.tiny)
        print(f"{name}: {sum(parameter.numel() for parameter in model.parameters()) / 1e6:,.1f} million parameters")
        print("".join(f"{column:>{_width(column)}}" for column in COLUMNS), flush=True)
        for way in ways(tiny=how.tiny):
            head = {"model": name, "data": way.data, "way": way.name}
            try:
                found = measured(Bench(model, chat, sources, folder / "counts", how), way)
            except torch.OutOfMemoryError as error:
                print(f"{name}, {way.data}, {way.name}: out of GPU memory ({str(error).splitlines()[0]})", flush=True)
                continue
            finally:
                model.zero_grad(set_to_none=True)
                gc.collect()
                torch.cuda.empty_cache()
            rows.append(head | found)
            print("".join(f"{_shown(rows[-1][column]):>{_width(column)}}" for column in COLUMNS), flush=True)
    return rows


def _sources(folder: Path, chat: Chat, *, tiny: bool) -> dict[str, Sequence[Source]]:
    width, height, rooms = (160, 120, 2) if tiny else (640, 480, 8)
    write_rooms(folder / "rooms", num_train=0, num_validation=rooms, seed=3, width=width, height=height)
    referring, questions = conversations(folder)
    return {
        "mixture": [*task_sets(folder, chat), referring, questions],
        "all pairs": [TaskSetSource(one, chat.dialect) for one in built(folder, ("t1_multi",), "all")],
        "points": [referring],
    }


def _width(column: str) -> int:
    return {"model": 14, "data": 11, "way": 22}.get(column, 13)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return (
        f"{value:,.3f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}" if isinstance(value, float) else str(value)
    )


if __name__ == "__main__":
    main()
