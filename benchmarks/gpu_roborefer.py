"""RoboRefer on a GPU, in one table: training steps and batched answers, in resize and in dynamic mode, with depth and without; the
2B shape with random weights.

    python -m benchmarks.gpu_roborefer [--out gpu_roborefer.json]     # needs CUDA; about eight minutes
    python -m benchmarks.gpu_roborefer --tiny --device cpu            # the same path in seconds: a tiny model

A training step is forward, loss, backward and AdamW on packs of 8,192 tokens, everything trained, in bfloat16 on a GPU; its tokens
are those of the samples, without padding. Answers are greedy, 8 questions at a time and one at a time, up to `--new-tokens` each
and none ends early; their tokens are the new ones. Preparing the pictures counts in both. Pictures are noise of 640 x 480, two
distinct ones a sample in training, which share nothing; one a question. Each row takes `--seconds` after one round that does not
count.
"""

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLUMNS = ("mode", "depth", "task", "tokens/s", "samples/s", "peak GiB", "rounds")
TOGETHER = 8
TOWER = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16, "image_size": 448}
TEXT = {  # the numbers of the published config.json of the 2B model, as far as they are known: those of NVILA-Lite-2B
    "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
    "vocab_size": 151_652, "max_position_embeddings": 32_768, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
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
        print("a model of this size is not for a CPU: nothing measured. Add --tiny.")
        return
    name = torch.cuda.get_device_name() if how.device == "cuda" else "the CPU"
    print(f"{name}, torch {torch.__version__}")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        model = model_of_shape(device=how.device, tiny=how.tiny)
        print(f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:,.1f} million parameters")
        print("".join(f"{column:>{_width(column)}}" for column in COLUMNS), flush=True)
        for mode in ("resize", "dynamic"):
            for with_depth in (False, True):
                rows += _rows(Bench(model, Path(made), mode, with_depth=with_depth, how=how))
    if how.out:
        how.out.write_text(json.dumps({"device": name, "torch": torch.__version__, "rows": rows}, indent=1))


def model_of_shape(*, device: str, tiny: bool) -> Any:
    """A RoboRefer with random weights on a device, bfloat16 on a GPU."""
    import torch  # noqa: PLC0415
    from tests.models.roborefer import tiny as small  # noqa: PLC0415

    from sightline.models.roborefer.modeling import RoboReferForConditionalGeneration  # noqa: PLC0415

    config: Any = small.config()
    if not tiny:
        for tower in (config.vision_config, config.depth_config):
            for key, value in (TOWER | {"patch_size": 14}).items():
                setattr(tower, key, value)
        config.text_config = type(config.text_config)(**TEXT, tie_word_embeddings=True)
    torch.manual_seed(0)
    with torch.device(device):
        model: Any = RoboReferForConditionalGeneration(config)
    return model.to(torch.bfloat16 if device == "cuda" else torch.float32)


class Bench:
    """A mode of the model with what its batches are made of."""

    def __init__(self, model: Any, folder: Path, mode: str, *, with_depth: bool, how: argparse.Namespace) -> None:
        from tests.models.roborefer import tiny as small  # noqa: PLC0415

        from sightline.models.roborefer.weights import write_single  # noqa: PLC0415

        self.model, self.mode, self.with_depth, self.how = model, mode, with_depth, how
        model.config.image_mode = mode
        self.tokenizer = small.tokenizer()
        self.folder = folder
        self.checkpoint = folder / f"{mode}-{with_depth}"
        # the trainer opens a folder; the tiny weights in it are not read, the configuration is that of the model
        write_single(small.model(small.config(mode=mode)), self.checkpoint, tokenizer_from=_saved(self.tokenizer, folder))
        model.config.save_pretrained(self.checkpoint)

    def noise(self, seed: int, *, depth: bool = False) -> Path:
        """A picture file, or a depth picture of it."""
        path = self.folder / f"{seed}{'-depth' * depth}.png"
        if not path.exists():
            width, height = (64, 48) if self.how.tiny else (640, 480)
            drawn = np.random.default_rng(2 * seed + depth).integers(0, 256, (height, width, 1 if depth else 3), dtype=np.uint8)
            Image.fromarray(drawn.repeat(3, axis=2) if depth else drawn).save(path)
        return path


def _saved(tokenizer: Any, folder: Path) -> Path:
    tokenizer.save_pretrained(folder / "tokenizer")
    return folder / "tokenizer"


def _rows(bench: Bench) -> list[dict[str, Any]]:
    import torch  # noqa: PLC0415

    rows = []
    for task, prepare in (("train", _training), ("answer 8", _answering(TOGETHER)), ("answer 1", _answering(1))):
        head = {"mode": bench.mode, "depth": bench.with_depth, "task": task}
        try:
            rows.append(head | _timed(prepare(bench), bench.how))
        except torch.OutOfMemoryError as error:
            print(f"{bench.mode}, depth {bench.with_depth}, {task}: out of GPU memory ({str(error).splitlines()[0]})", flush=True)
            continue
        finally:
            bench.model.zero_grad(set_to_none=True)
            gc.collect()
            torch.cuda.empty_cache()
        print("".join(f"{_shown(rows[-1][column]):>{_width(column)}}" for column in COLUMNS), flush=True)
    return rows


def _training(bench: Bench) -> Callable[[], tuple[int, int]]:
    """A step; gives its tokens and samples."""
    import torch  # noqa: PLC0415

    from sightline.models import ModelOptions  # noqa: PLC0415
    from sightline.models.architectures import TrainingView  # noqa: PLC0415
    from sightline.train.vlm.chat import open_chat  # noqa: PLC0415
    from sightline.train.vlm.collate import Collator  # noqa: PLC0415
    from sightline.train.vlm.loss import Norm, batch_loss  # noqa: PLC0415
    from sightline.train.vlm.pack import choose_isolation, isolate  # noqa: PLC0415
    from sightline.train.vlm.parts import set_parts  # noqa: PLC0415
    from sightline.train.vlm.samples import MediaRef, Sample, Slot, Turn  # noqa: PLC0415

    chat = open_chat(bench.checkpoint, ModelOptions(), view=TrainingView(with_depth=bench.with_depth))
    device, model = torch.device(bench.how.device), bench.model.train()
    isolation = choose_isolation(device)
    isolate(model, isolation)
    set_parts(model, {}, unused=chat.checkpoint.unused)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-6, fused=device.type == "cuda")
    collator = Collator(chat, model.config)
    turns = (
        Turn("user", (Slot("image", 0), Slot("image", 1), "Where is it in the second one?")),
        Turn("assistant", ("[(0.5, 0.2)]",)),
    )

    def sample(index: int) -> Sample:
        seeds = (2 * index, 2 * index + 1)
        maps = [MediaRef(bench.noise(seed, depth=True), codec="u8x3_minmax") for seed in seeds] if bench.with_depth else []
        images = tuple(MediaRef(bench.noise(seed)) for seed in seeds)
        return Sample(str(index), "noise", turns, images=images, depths=tuple(maps))

    room = 2048 if bench.how.tiny else 8192
    row = [sample(index) for index in range(max(1, room // chat.count(sample(0))[0]))]

    def step() -> tuple[int, int]:
        batch = collator([row]).to(device)
        norm = Norm("token", total=sum(batch.num_supervised))
        batch_loss(model, batch, norm=norm, isolation=isolation).backward()
        optimizer.step()
        optimizer.zero_grad()
        return sum(batch.num_tokens), len(row)

    return step


def _answering(size: int) -> Callable[[Bench], Callable[[], tuple[int, int]]]:
    """Answers to `TOGETHER` questions, `size` at a time; gives their new tokens and their number."""

    def prepare(bench: Bench) -> Callable[[], tuple[int, int]]:
        from transformers import GenerationConfig  # noqa: PLC0415

        from sightline.media import read_rgb  # noqa: PLC0415
        from sightline.models.roborefer.generation import greedy  # noqa: PLC0415
        from sightline.models.roborefer.inputs import Picture, RoboReferInputs, asked_in_front  # noqa: PLC0415
        from sightline.models.roborefer.inputs import RoboReferSample as Asked  # noqa: PLC0415
        from sightline.train.vlm.pack import isolate  # noqa: PLC0415

        model = bench.model.eval()
        isolate(model, "none")
        never = model.config.text_config.vocab_size  # no token has this number, so that no answer ends early
        padding = bench.tokenizer.pad_token_id
        model.generation_config = GenerationConfig(do_sample=False, eos_token_id=never, pad_token_id=padding)
        inputs = RoboReferInputs(model.config, bench.tokenizer)
        asked = []
        for index in range(TOGETHER):
            depth = read_rgb(bench.noise(index, depth=True)) if bench.with_depth else None
            pictures = (Picture(read_rgb(bench.noise(index)), depth),)
            asked.append(Asked(str(index), asked_in_front("Point at the cup.", pictures), pictures))

        def work() -> tuple[int, int]:
            done = 0
            for start in range(0, TOGETHER, size):
                batch = inputs.batch(asked[start : start + size], padding="left").to(bench.how.device)
                done += sum(map(len, greedy(model, batch, max_new_tokens=bench.how.new_tokens)))
            return done, TOGETHER

        return work

    return prepare


def _timed(work: Callable[[], tuple[int, int]], how: argparse.Namespace) -> dict[str, Any]:
    import torch  # noqa: PLC0415

    work()
    if how.device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    tokens = samples = rounds = 0
    start = time.perf_counter()
    while not rounds or time.perf_counter() - start < how.seconds:
        more = work()
        if how.device == "cuda":
            torch.cuda.synchronize()
        tokens, samples, rounds = tokens + more[0], samples + more[1], rounds + 1
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() / 2**30 if how.device == "cuda" else None
    return {"tokens/s": tokens / seconds, "samples/s": samples / seconds, "peak GiB": peak, "rounds": rounds}


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a tiny model of the same kind")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=25.0, help="time of each row of the table")
    parser.add_argument("--new-tokens", type=int, default=64, help="of each answer")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    return parser.parse_args(arguments)


def _width(column: str) -> int:
    return 11 if column in ("mode", "task") else 12


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
