"""Sa2VA on a GPU, in one table: pictures and clips answered, expressions together and one by one, and training steps in both modes.

    python -m benchmarks.gpu_sa2va --model 1b [--out gpu_sa2va.json]    # needs CUDA; no model named: both
    python -m benchmarks.gpu_sa2va --tiny --device cpu                 # the same path in a minute: a tiny model

Shapes of the published Sa2VA-1B and 4B (InternVL 2.5, large SAM 2.0 at 1024 pixels), random weights, every answer one [SEG]. The
language model is in bfloat16 on a GPU, the grounding path in float32, as they are served. `per second` counts answered expressions,
or training steps of one clip of 5 frames with 3 objects: forward, losses and backward, everything trained, without the optimiser,
grounding under autocast. FLOPs of a step are counted by `torch.utils.flop_counter`; MFU = FLOPs / (seconds * peak), the peak being
the GPU's dense bfloat16 figure. Answers are not counted: following objects has ways of its own for one and for many, of which the
counter does not see the same share.
"""

import argparse
import gc
import json
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu_sam2 import PEAKS, _flops, _measured
from benchmarks.sa2va_clip import EXPRESSIONS, Frames, says_seg, tracks

COLUMNS = ("model", "task", "per second", "seconds", "peak GiB", "tflop", "mfu")
NUM_FRAMES, SHOWN, NUM_OBJECTS = 16, 5, 3
MODES = "official", "consistent"
VISION = {
    "model_type": "intern_vit_6b", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "image_size": 448, "patch_size": 14,
}  # fmt: skip
LANGUAGE = {  # of the Qwen2.5 models under InternVL2.5-1B and 4B
    "1b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "4b": {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16},
}
SHARED = {
    "model_type": "qwen2", "num_key_value_heads": 2, "vocab_size": 151_674, "max_position_embeddings": 32_768,
    "rope_theta": 1e6, "bos_token_id": None,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    how = _parsed(arguments)
    if missing := [package for package in ("torch", "transformers") if find_spec(package) is None]:
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
    peak = how.peak_tflops or next((tflops for part, tflops in PEAKS.items() if part in name), None)
    print(f"{name}, torch {torch.__version__}; MFU = FLOPs / (seconds * {f'{peak:g} TFLOP/s' if peak else 'unknown peak'})")
    print("".join(f"{column:>{_width(column)}}" for column in COLUMNS), flush=True)
    rows: list[dict[str, Any]] = []
    for size in ["tiny"] if how.tiny else how.model or list(LANGUAGE):
        rows += _of_model(size, how.device, peak)
        gc.collect()
        torch.cuda.empty_cache()
    if how.out:
        how.out.write_text(json.dumps({"device": name, "torch": torch.__version__, "peak_tflops": peak, "rows": rows}, indent=1))


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=tuple(LANGUAGE), help="a shape; several times for several")
    parser.add_argument("--tiny", action="store_true", help="a tiny model of the same kind")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--peak-tflops", type=float, help="the GPU's dense bfloat16 peak, where it is not known here")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    return parser.parse_args(arguments)


def tasks(model: Any, *, tiny: bool) -> dict[str, tuple[int, Callable[[], Any]]]:
    """The rows of the table: how many expressions or steps a run is, and the run."""
    size = (160, 120) if tiny else (1280, 720)
    picture, clip = Frames(1, *size), Frames(NUM_FRAMES, *size)
    found: dict[str, tuple[int, Callable[[], Any]]] = {
        "a picture, 1 expression": (1, lambda: tracks(model, picture, EXPRESSIONS[:1], "official"))
    }
    for mode in MODES:
        found[f"clip, together, {mode}"] = (len(EXPRESSIONS), lambda mode=mode: tracks(model, clip, EXPRESSIONS, mode))
        found[f"clip, one by one, {mode}"] = (
            len(EXPRESSIONS),
            lambda mode=mode: [tracks(model, clip, (words,), mode) for words in EXPRESSIONS],
        )
    for mode in MODES:
        found[f"training step, {mode}"] = (1, _step(model, Frames(SHOWN, *size), mode))
    return found


def model_of_size(size: str, device: str) -> Any:
    """A Sa2VA of random weights, in the number formats in which it is run."""
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    from sightline.demo.tiny_sa2va import tiny_sa2va, words_of  # noqa: PLC0415
    from sightline.models.sa2va.grounding import Grounding  # noqa: PLC0415
    from sightline.models.sa2va.internvl import InternVl  # noqa: PLC0415
    from sightline.models.sa2va.network import Sa2Va  # noqa: PLC0415
    from sightline.models.sa2va.sizes import sam2_config  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as made:
        folder = tiny_sa2va(Path(made) / "tiny", words_of(EXPRESSIONS))
        config = json.loads((folder / "config.json").read_text())
        tokenizer = AutoTokenizer.from_pretrained(folder, config=_qwen2(), local_files_only=True)
    if size != "tiny":
        config = {key: value for key, value in config.items() if not key.startswith("tiny_sam2")}
        language = SHARED | LANGUAGE[size] | {"eos_token_id": tokenizer.eos_token_id}
        config |= {"force_image_size": VISION["image_size"], "vision_config": VISION, "llm_config": language}
    family = InternVl(config, tokenizer, where=size)
    torch.manual_seed(1)
    with torch.device(device):
        language: Any = family.network(torch.bfloat16 if device == "cuda" else torch.float32, tied=False)
        grounding = Grounding(sam2_config(config, where=size), language.config.text_config.hidden_size)
    return Sa2Va(language, grounding, family, tokenizer).to(device).eval()


def _of_model(size: str, device: str, peak: float | None) -> list[dict[str, Any]]:
    import torch  # noqa: PLC0415

    model = model_of_size(size, device)
    says_seg(model)
    rows = []
    for task, (count, run) in tasks(model, tiny=size == "tiny").items():
        try:
            flops = _flops(run) if task.startswith("training") else None
            seconds, memory = _measured(run, device)
        except torch.OutOfMemoryError as error:
            print(f"{size}, {task}: out of GPU memory ({str(error).splitlines()[0]})", flush=True)
            continue
        finally:
            model.zero_grad(set_to_none=True)
        tflop = None if flops is None else flops / 1e12
        mfu = tflop / (seconds * peak) if tflop and peak else None
        rows.append(dict(zip(COLUMNS, (size, task, count / seconds, seconds, memory, tflop, mfu), strict=True)))
        print("".join(f"{_shown(rows[-1][column]):>{_width(column)}}" for column in COLUMNS), flush=True)
    return rows


def _step(model: Any, frames: Frames, mode: str) -> Callable[[], Any]:
    """Forward, losses and backward of one clip whose first expressions are answered with a [SEG] each."""
    import torch  # noqa: PLC0415

    from sightline.models.sa2va.conversation import Turn, labelled, with_media  # noqa: PLC0415
    from sightline.models.sa2va.losses import MaskLossWeights  # noqa: PLC0415
    from sightline.models.sa2va.modes import get_mode  # noqa: PLC0415
    from sightline.models.sa2va.objective import Objects, sample_losses  # noqa: PLC0415
    from sightline.models.sa2va.pictures import normalised, square  # noqa: PLC0415

    device, side = model.language.device, model.grounding.image_size
    pictures = [frames.rgb(index) for index in range(len(frames))]
    media = model.family.show(pictures, video=True)
    texts = [f"Please segment {words}." for words in EXPRESSIONS[:NUM_OBJECTS]]
    first = with_media(f"<image>\n{texts[0]}", media.slots)
    said = labelled([Turn(text, "[SEG].") for text in (first, *texts[1:])], model.family.template, model.tokenizer)
    images = torch.stack([normalised(square(rgb, side), constants="exact") for rgb in pictures]).to(device)
    masks = torch.zeros(NUM_OBJECTS, len(frames), side, side, device=device)
    for index in range(NUM_OBJECTS):
        masks[index, :, side // 4 : side // 2, index * side // 4 : index * side // 4 + side // 8] = 1
    objects = Objects(images, masks)

    def run() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            losses = sample_losses(model, said, media, objects, mode=get_mode(mode), weights=MaskLossWeights())
        losses.total.backward()

    return run


def _qwen2() -> Any:
    from transformers import AutoConfig  # noqa: PLC0415

    return AutoConfig.for_model("qwen2")  # the folder's own model type is none of transformers'


def _width(column: str) -> int:
    return {"task": 30, "model": 8}.get(column, 12)


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
