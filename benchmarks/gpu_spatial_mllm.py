"""Training steps of a Spatial-MLLM on a GPU, in one table: encoders that run or kept features, samples apart or with one beginning.

    python -m benchmarks.gpu_spatial_mllm [--out spatial.json]             # needs CUDA: 3B + 1B shape, random weights
    python -m benchmarks.gpu_spatial_mllm --tiny --device cpu              # the same path in a minute

A step is forward, loss, backward and AdamW on `--questions` questions about one clip, encoders frozen, bfloat16 on a GPU. MFU is
the work of what is computed by the time and the GPU's dense bfloat16 peak:

    3 * (2 * (layers + connector a token) * tokens + 2 * head * supervised + attention) + encoders

`tokens` are those of the batch, so that a beginning that is repeated is counted again. `encoders` is forward alone: 2 *
parameters * patches, and attention within windows, frames and the sequence of frames; 0 from kept features.
"""

import argparse
import gc
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_sam2 import PEAKS
from benchmarks.gpu_vlm_shapes import SHAPES, VOCABULARY

COLUMNS = ("encoders", "samples", "questions/s", "tokens/s", "mfu", "loss", "peak GiB", "steps")
FRAMES, SIZE = 16, (644, 476)
TINY_FRAMES, TINY_SIZE = 4, (112, 84)


def main(arguments: list[str] | None = None) -> None:
    how = _parsed(arguments)
    if find_spec("torch") is None or find_spec("transformers") is None:
        print("needs torch and transformers: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    if how.device == "cuda" and not torch.cuda.is_available():
        print(f"no CUDA device for torch {torch.__version__}: nothing measured. --tiny --device cpu runs the same path on the CPU.")
        return
    if how.device == "cpu" and not how.tiny:
        print("a model of this size is not for a CPU: nothing measured. Add --tiny.")
        return
    name = torch.cuda.get_device_name() if how.device == "cuda" else "the CPU"
    peak = how.peak_tflops or next((tflops for part, tflops in PEAKS.items() if part in name), None)
    print(f"{name}, torch {torch.__version__}, peak {f'{peak:g} TFLOP/s' if peak else 'unknown'}; MFU = work / (seconds * peak)")
    with tempfile.TemporaryDirectory() as folder:
        rows = _rows(Path(folder), how, peak)
    if how.out:
        how.out.write_text(json.dumps({"device": name, "torch": torch.__version__, "peak_tflops": peak, "rows": rows}, indent=1))


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a tiny model of the same kind")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0, help="time of each row of the table, after two steps")
    parser.add_argument("--peak-tflops", type=float, help="the GPU's dense bfloat16 peak, where it is not known here")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    return parser.parse_args(arguments)


def _rows(folder: Path, how: argparse.Namespace, peak: float | None) -> list[dict[str, Any]]:
    import torch  # noqa: PLC0415

    from sightline.models.spatial_mllm.encoding import frozen_features  # noqa: PLC0415
    from sightline.models.spatial_mllm.sequences import prepare_sequence  # noqa: PLC0415
    from sightline.train.vlm.collate import Collator  # noqa: PLC0415
    from sightline.train.vlm.films import units_of  # noqa: PLC0415

    chat, samples = _data(folder, how)
    model = _model(chat, how)
    ((kind, frames, _),) = units_of(chat.layout(samples[0]).pictures)
    features = _InMemory(frozen_features(model, prepare_sequence(kind, frames.read(), chat.labeller.processor.rule)))
    print("".join(f"{column:>16}" for column in COLUMNS), flush=True)
    rows = []
    for kept in (False, True):
        for together in (False, True):
            collator = Collator(chat, chat.checkpoint.config, features=features if kept else None, shared_prefix=together)
            batches = [collator([samples])] if together else [collator([[sample]]) for sample in samples]
            head = {"encoders": "kept" if kept else "run", "samples": "one beginning" if together else "apart"}
            rows.append(head | _measured(model, [batch.to(torch.device(how.device)) for batch in batches], how, peak))
            print("".join(f"{_shown(rows[-1][column]):>16}" for column in COLUMNS), flush=True)
            gc.collect()
    return rows


def _measured(model: Any, batches: list[Any], how: argparse.Namespace, peak: float | None) -> dict[str, Any]:
    import torch  # noqa: PLC0415

    from sightline.train.vlm.loss import Norm, batch_loss  # noqa: PLC0415
    from sightline.train.vlm.pack import choose_isolation, isolate  # noqa: PLC0415

    best = choose_isolation(torch.device(how.device))
    isolation = "flex" if best == "flash" else best
    isolate(model, isolation)
    norm = Norm("token", sum(count for batch in batches for count in batch.num_supervised))
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=0.0)
    on_gpu = how.device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    steps, start, total = -2, time.perf_counter(), 0.0
    while steps < 1 or time.perf_counter() - start < how.seconds:
        if steps == 0:
            start = time.perf_counter()
        total = 0.0
        for batch in batches:
            loss = batch_loss(model, batch, norm=norm, isolation=isolation)
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if on_gpu:
            torch.cuda.synchronize()
        steps += 1
    seconds = (time.perf_counter() - start) / steps
    tokens = sum(batch.input_ids.numel() for batch in batches)
    return {
        "questions/s": how.questions / seconds,
        "tokens/s": tokens / seconds,
        "mfu": None if peak is None else sum(_work(model, batch) for batch in batches) / (seconds * peak * 1e12),
        "loss": total,
        "peak GiB": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None,
        "steps": steps,
    }


def _work(model: Any, batch: Any) -> float:
    """Floating-point operations of forward and backward of a batch."""
    text, vision = model.config.get_text_config(), model.config.vision_config
    tokens = batch.input_ids.numel()
    places = int((batch.input_ids >= 0).sum()) if not batch.pictures.tiles else sum(batch.pictures.tiles)
    layers, connector = (_size(part) for part in (model.model.language_model.layers, model.connector))
    head = text.hidden_size * text.vocab_size * sum(batch.num_supervised)
    attention = 2 * text.num_hidden_layers * text.hidden_size * float(tokens) ** 2
    work = 3 * (2 * (layers * tokens + connector * places + head) + attention)
    for name, frames in batch.pictures.tensors.items():
        if name.startswith("frames."):
            vggt = model.spatial.vggt
            patches = frames.shape[0] * (frames.shape[2] // 14) * (frames.shape[3] // 14)
            own = patches / frames.shape[0]
            work += 2 * _size(model.spatial_encoder) * patches
            work += 4 * vggt.width * patches * (vggt.depth * (patches + own) + vggt.patch_depth * own)
            work += 2 * _size(model.model.visual) * patches / 2
            work += 4 * vision.depth * vision.hidden_size * patches / 2 * (vision.window_size / 14) ** 2
    return work


def _size(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _data(folder: Path, how: argparse.Namespace) -> tuple[Any, list[Any]]:
    from PIL import Image  # noqa: PLC0415

    from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm  # noqa: PLC0415
    from sightline.models.options import ModelOptions  # noqa: PLC0415
    from sightline.train.vlm.chat import open_chat  # noqa: PLC0415
    from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Turn  # noqa: PLC0415

    count, size = (TINY_FRAMES, TINY_SIZE) if how.tiny else (FRAMES, SIZE)
    chat = open_chat(tiny_spatial_mllm(folder / "tiny", ["How", " many"], max_pixels=size[0] * size[1]), ModelOptions())
    frames = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        frames.append(MediaRef(folder / f"{number}.png", size))
    clip = FrameRun(tuple(frames), tuple(map(float, range(count))))
    said = [(Turn("user", (Slot("video", 0), f"How many {n}?")), Turn("assistant", (str(n),))) for n in range(how.questions)]
    return chat, [Sample(str(number), "made", turns, videos=(clip,)) for number, turns in enumerate(said)]


def _model(chat: Any, how: argparse.Namespace) -> Any:
    """Of random weights on the device, encoders frozen."""
    import torch  # noqa: PLC0415
    from transformers import Qwen2_5_VLConfig  # noqa: PLC0415

    from sightline.models.spatial_mllm.model import SpatialMllm  # noqa: PLC0415
    from sightline.models.spatial_mllm.settings import SpatialSettings  # noqa: PLC0415
    from sightline.train.vlm.parts import Part, set_parts  # noqa: PLC0415

    if how.tiny:
        model: Any = chat.checkpoint.load(dtype=torch.float32).to(how.device)
    else:
        shape, small = SHAPES["qwen2.5-vl-3b"], chat.checkpoint.config
        ids = {name: getattr(small, name) for name in ("image_token_id", "video_token_id", "vision_start_token_id")}
        text = shape["text"] | {"vocab_size": VOCABULARY, "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": None}
        vision = shape["vision"] | {"tokens_per_second": 2}
        config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)
        torch.set_default_dtype(torch.bfloat16)
        with torch.device(how.device):
            model = SpatialMllm(config, SpatialSettings())
        torch.set_default_dtype(torch.float32)
    set_parts(model, {"vision": Part("frozen")}, unused=chat.checkpoint.unused)
    print(f"{_size(model) / 1e6:,.1f} million parameters")
    return model


class _InMemory:
    """Kept features of the one clip there is (`films.Features`); what a disk costs is `spatial_mllm_cache`'s to measure."""

    def __init__(self, features: Any) -> None:
        self.features = features

    def unit(self, index: int, kind: Any, frames: Any) -> dict[str, Any]:  # noqa: ARG002 - the protocol's
        import torch  # noqa: PLC0415

        from sightline.models.spatial_mllm.encoding import tensors_of_features  # noqa: PLC0415
        from sightline.models.spatial_mllm.sequences import grids_of_geometry  # noqa: PLC0415

        grids = torch.tensor(grids_of_geometry(kind, tuple(self.features.geometry.shape)))
        return tensors_of_features(index, kind, grids, self.features)

    def blank_unit(self) -> dict[str, Any]:
        """Zeros for a picture of one token."""
        import torch  # noqa: PLC0415

        from sightline.models.spatial_mllm.encoding import FrozenFeatures, tensors_of_features  # noqa: PLC0415

        vision, geometry = self.features.vision, self.features.geometry
        blank = FrozenFeatures(torch.zeros_like(vision[:4]), torch.zeros_like(geometry[:2, :2, :2]))
        return tensors_of_features(0, "image", torch.tensor([[1, 2, 2]]), blank)


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
