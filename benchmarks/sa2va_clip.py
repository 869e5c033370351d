"""Five expressions about one clip: answered together against one by one, masks compared. At least 3 times faster is asked for.

Together, the pictures are read once by the language model and encoded once by SAM 2, and all objects are followed in one pass. The
model is the one of `demo/tiny_sa2va.py` with random weights, once with its own image encoder, which is smaller than any published
one, and once with that of the smallest published SAM 2; the threshold is for the latter. Every answer is made to be one [SEG], so
that each expression has an object. One thread, CPU time (user and system) of this process, since machines are shared.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

NUM_FRAMES, WIDTH, HEIGHT, ROUNDS = 16, 160, 120, 3
EXPRESSIONS = ("the red cup", "the blue cup", "the dog on the left", "the dog on the right", "the man")
ENCODER = {"embed_dim": 96, "stages": [1, 2, 7, 2], "global_att": [5, 7, 9], "windows": [8, 4, 14, 7]}
LEAST = 3.0
MOST_DIFFERENT = 1e-5  # of all pixels: sums over a batch round otherwise than sums of one


def main() -> None:
    if missing := [package for package in ("torch", "transformers") if find_spec(package) is None]:
        print(f"needs {' and '.join(missing)}: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    import sightline  # noqa: F401, PLC0415 - mends torchvision before transformers looks at it
    from sightline.demo.tiny_sa2va import tiny_sa2va, words_of  # noqa: PLC0415
    from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: PLC0415

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        model = load_sa2va(tiny_sa2va(Path(made) / "tiny", words_of(EXPRESSIONS)))
    says_seg(model)
    print(f"{len(EXPRESSIONS)} expressions, {NUM_FRAMES} frames of {WIDTH} x {HEIGHT}, one thread, CPU time, median of {ROUNDS}:")
    gains: dict[str, list[float]] = {}
    for name, sizes in (("own encoder", {}), ("published", ENCODER)):
        if sizes:
            model.grounding = _grounding(model, sizes)
        gains[name] = [_compare(model, name, mode) for mode in ("official", "consistent")]
    fast = min(gains["published"]) >= LEAST
    print(f"  at least {LEAST:g} times faster with the published encoder: {'yes' if fast else 'NO'}")
    if not fast:
        raise SystemExit(1)


def _grounding(model: Any, sizes: dict[str, Any]) -> Any:
    """A grounding path of random weights whose SAM 2 has another image encoder."""
    import torch  # noqa: PLC0415

    from sightline.demo.tiny_sa2va import DECODER_SIZES, SAM2_SIZES  # noqa: PLC0415
    from sightline.models.sa2va.grounding import Grounding  # noqa: PLC0415
    from sightline.models.sa2va.sizes import sam2_config  # noqa: PLC0415
    from sightline.models.sam2.parts import fresh_model  # noqa: PLC0415

    config = sam2_config({"tiny_sam2_sizes": SAM2_SIZES | sizes, "tiny_sam2_overridden": DECODER_SIZES}, where="the benchmark")
    torch.manual_seed(1)
    found = Grounding(config, model.language.config.get_text_config().hidden_size)
    found.clip.model.load_state_dict(fresh_model(config, 1).state_dict())
    return found.eval()


def _compare(model: Any, encoder: str, mode: str) -> float:
    frames = Frames(NUM_FRAMES, WIDTH, HEIGHT)
    ways: dict[str, Callable[[], Any]] = {
        "one by one": lambda: [track for words in EXPRESSIONS for track in tracks(model, frames, (words,), mode)],
        "together": lambda: tracks(model, frames, EXPRESSIONS, mode),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    masks: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            started = time.process_time()
            masks[name] = run()
            times[name].append(time.process_time() - started)
    different = differing(masks["one by one"], masks["together"])
    num_pixels = len(EXPRESSIONS) * NUM_FRAMES * WIDTH * HEIGHT
    if different > MOST_DIFFERENT * num_pixels:
        raise SystemExit(f"{encoder}, {mode}: {different} of {num_pixels:,} pixels differ between the two ways")
    gain = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    taken = "   ".join(f"{name} {statistics.median(values):6.2f} s" for name, values in times.items())
    print(f"  {encoder:12} {mode:11} {taken}   {gain:5.2f}x   pixels that differ: {different} of {num_pixels:,}")
    return gain


class Frames:
    """A clip of blocks that move over noise, decoded already."""

    def __init__(self, count: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
        self._frames = [noise.copy() for _ in range(count)]
        for number, rgb in enumerate(self._frames):
            for block in range(len(EXPRESSIONS)):
                x = (number * width // (4 * count) + block * width // len(EXPRESSIONS)) % (width - width // 8)
                rgb[height // 4 : height // 2, x : x + width // 8] = (50 * block, 255 - 40 * block, 120)

    def __len__(self) -> int:
        return len(self._frames)

    def rgb(self, index: int) -> Any:
        return self._frames[index]


def tracks(model: Any, frames: Frames, expressions: tuple[str, ...], mode: str) -> list[Any]:
    """The first mask track of each answer."""
    from sightline.models.sa2va.modes import MODES  # noqa: PLC0415
    from sightline.models.sa2va.segment import asking, segment  # noqa: PLC0415

    found = segment(model, frames, [asking(words) for words in expressions], MODES[mode], max_new_tokens=8)
    return [answer.tracks[0] for answer in found]


def differing(one: list[Any], other: list[Any]) -> int:
    """How many pixels of the tracks differ."""
    from sightline.geometry.masks import decode_mask  # noqa: PLC0415

    pairs = ((a, b) for track, same in zip(one, other, strict=True) for a, b in zip(track, same, strict=True))
    return sum(int((decode_mask(a) != decode_mask(b)).sum()) for a, b in pairs if a != b)


def says_seg(model: Any) -> None:
    """From now on each answer is one [SEG] and the end, whatever the random weights would say; the states are the model's own."""
    import torch  # noqa: PLC0415

    end_id = model.tokenizer.convert_tokens_to_ids("<|im_end|>")
    read: list[int] = []

    def note(_module: Any, _args: Any, given: dict[str, Any]) -> None:
        read[:] = [int(given["input_ids"][0, -1])]

    def force(_module: Any, _args: Any, logits: Any) -> Any:
        forced = torch.full_like(logits, -1.0)
        forced[..., end_id if read == [model.seg_id] else model.seg_id] = 1.0
        return forced

    model.language.register_forward_pre_hook(note, with_kwargs=True)
    model.language.lm_head.register_forward_hook(force)


if __name__ == "__main__":
    main()
