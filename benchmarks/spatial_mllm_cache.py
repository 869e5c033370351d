"""Training a Spatial-MLLM from kept features, and with one beginning for all questions of a clip, against doing without.

The demo's tiny network with random weights, frozen encoders, float32: forward and backward of the same questions about one clip,
CPU time, one thread, the best of some turns. Kept features are read from a cache on the disk. Both ways have the same loss.
"""

import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

NUM_QUESTIONS, NUM_FRAMES, TURNS = 8, 16, 3
CACHE_TARGET, PREFIX_TARGET = 2.5, 3.0
SIDE = 112
GAP = 1e-5


def main() -> None:
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = _measured(Path(folder))
    print(f"{NUM_QUESTIONS} questions about {NUM_FRAMES} frames of {SIDE} x {SIDE}; seconds of CPU, forward and backward:")
    for name, (before, after, gap, target) in rows.items():
        kept = "yes" if before / after >= target and gap <= GAP else "NO"
        print(
            f"  {name:44} {before:6.2f} -> {after:6.2f}: {before / after:5.2f} times, loss differs by {gap:.1e}; {target}: {kept}"
        )


def _measured(folder: Path) -> dict[str, tuple[float, float, float, float]]:
    """By name: seconds without and with, the relative difference of the losses, and what is aimed at."""
    import torch  # noqa: PLC0415

    from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm  # noqa: PLC0415
    from sightline.models.options import ModelOptions  # noqa: PLC0415
    from sightline.train.vlm.chat import open_chat  # noqa: PLC0415
    from sightline.train.vlm.collate import Collator  # noqa: PLC0415
    from sightline.train.vlm.parts import Part, set_parts  # noqa: PLC0415

    chat = open_chat(tiny_spatial_mllm(folder / "tiny", ["How", " many"], max_pixels=SIDE * SIDE), ModelOptions())
    model: Any = chat.checkpoint.load(dtype=torch.float32)
    set_parts(model, {"vision": Part("frozen")}, unused=chat.checkpoint.unused)
    samples = _samples(folder)
    features = _kept(folder / "features", chat, model, samples[0])

    def batches(*, together: bool, kept: bool) -> list[Any]:
        collator = Collator(chat, chat.checkpoint.config, features=features if kept else None, shared_prefix=together)
        return [collator([samples])] if together else [collator([[each]]) for each in samples]

    ways = {
        (together, kept): _timed(model, batches(together=together, kept=kept))
        for together in (False, True)
        for kept in (False, True)
    }
    rows = {
        "kept features, samples apart": ((False, False), (False, True), CACHE_TARGET),
        "one beginning, encoders run": ((False, False), (True, False), PREFIX_TARGET),
        "one beginning, kept features": ((False, True), (True, True), PREFIX_TARGET),
    }
    return {
        name: (ways[before][0], ways[after][0], abs(ways[before][1] - ways[after][1]) / ways[before][1], target)
        for name, (before, after, target) in rows.items()
    }


def _timed(model: Any, batches: list[Any]) -> tuple[float, float]:
    """CPU seconds of forward and backward of all batches, and their loss."""
    from sightline.train.vlm.loss import Norm, batch_loss  # noqa: PLC0415
    from sightline.train.vlm.pack import isolate  # noqa: PLC0415

    isolate(model, "segments")
    norm = Norm("token", sum(count for batch in batches for count in batch.num_supervised))
    best, total = float("inf"), 0.0
    for _ in range(TURNS):
        model.zero_grad(set_to_none=True)
        total = 0.0
        start = time.process_time()
        for batch in batches:
            loss = batch_loss(model, batch, norm=norm, isolation="segments")
            loss.backward()
            total += loss.item()
        best = min(best, time.process_time() - start)
    return best, total


def _samples(folder: Path) -> list[Any]:
    from PIL import Image  # noqa: PLC0415

    from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Turn  # noqa: PLC0415

    frames = []
    for number in range(NUM_FRAMES):
        pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        frames.append(MediaRef(folder / f"{number}.png", (SIDE, SIDE)))
    clip = FrameRun(tuple(frames), tuple(map(float, range(NUM_FRAMES))))
    turns = [(Turn("user", (Slot("video", 0), f"How many {n}?")), Turn("assistant", (str(n),))) for n in range(NUM_QUESTIONS)]
    return [Sample(str(number), "made", own, videos=(clip,)) for number, own in enumerate(turns)]


def _kept(folder: Path, chat: Any, model: Any, sample: Any) -> Any:
    """A cache with the features of the sample's clip, in float32."""
    from sightline.models.spatial_mllm.encoding import frozen_features  # noqa: PLC0415
    from sightline.models.spatial_mllm.feature_cache import FeatureCache, FeatureWriter  # noqa: PLC0415
    from sightline.models.spatial_mllm.sequences import digest_of_frames, prepare_sequence  # noqa: PLC0415
    from sightline.train.vlm.films import units_of  # noqa: PLC0415
    from sightline.train.vlm.kept_features import KeptFeatures  # noqa: PLC0415

    writer = FeatureWriter(FeatureCache(folder, chat.checkpoint.feature_settings(computed="float32", stored="float32")))
    ((kind, frames, _),) = units_of(chat.layout(sample).pictures)
    pixels = frames.read()
    rule = chat.labeller.processor.rule
    writer.add(digest_of_frames(kind, pixels), frozen_features(model, prepare_sequence(kind, pixels, rule)))
    writer.flush()
    return KeptFeatures(writer.cache)
