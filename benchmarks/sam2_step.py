"""A training step of SAM 2 with all objects on the batch axis against one object after another, and what checkpointing saves.

Both steps go over the same sub-modules with the same weights and clip: forward, loss, backward. The plain one encodes the clip once
and runs every object through memory, decoder and loss for itself; its loss, the mean over objects, is checked to be the same.
Times are CPU time on one thread. The memory is what autograd keeps for the backward pass (every storage counted once, weights left
out), measured by `saved_tensors_hooks`; at 512 px, with the blocks of the encoder and the memory attention checkpointed or not.
"""

import statistics
import time
from importlib.util import find_spec
from typing import Any

from benchmarks.sam2_propagate import clip

NUM_OBJECTS, NUM_FRAMES, SIDE, ROUNDS = 3, 4, 128, 5
MEMORY_SIDE, MEMORY_FRAMES, MEMORY_OBJECTS = 512, 2, 2
MOST_MEMORY = 0.6


def main() -> None:
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    import torch  # noqa: PLC0415 - an extra
    from transformers import Sam2VideoConfig  # noqa: PLC0415

    from sightline.models.sam2.architecture import resized, tiny_config  # noqa: PLC0415

    torch.set_num_threads(1)
    for name, config in (("published tiny", resized(Sam2VideoConfig(), SIDE)), ("1.5 million weights", tiny_config(SIDE))):
        print(f"{name}: a step, {NUM_OBJECTS} objects, {NUM_FRAMES} frames, {SIDE} px, one thread, median of {ROUNDS}:")
        _time_steps(config)
    _measure_memory(tiny_config(MEMORY_SIDE), "1.5 million weights")
    _measure_memory(resized(Sam2VideoConfig(), MEMORY_SIDE), "published tiny")


def _time_steps(config: Any) -> None:
    import torch  # noqa: PLC0415

    from sightline.models.sam2.clip import ClipModel  # noqa: PLC0415
    from sightline.models.sam2.parts import fresh_model  # noqa: PLC0415

    model = ClipModel(fresh_model(config, seed=1)).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # its draws depend on the batch
    model.model.config.memory_attention_rope_dropout = 0.0
    frames, first = clip(NUM_FRAMES, NUM_OBJECTS, SIDE)
    masks = first.float().expand(NUM_FRAMES, -1, -1, -1)
    ways = {"object by object": plain_step, "all at once": our_step}
    times: dict[str, list[float]] = {name: [] for name in ways}
    losses = {}
    for _ in range(ROUNDS):
        for name, step in ways.items():
            model.zero_grad()
            started = time.process_time()
            losses[name] = step(model, frames, masks)
            times[name].append(time.process_time() - started)
    apart, together = losses.values()
    if abs(apart - together) > 1e-4 * abs(apart):
        raise SystemExit(f"the losses differ: {apart} one by one, {together} at once")
    gain = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    for name, taken in times.items():
        print(f"  {name:20} {statistics.median(taken):7.3f} s of CPU time, loss {losses[name]:.6f}")
    print(f"  at once is {gain:.2f} times as fast")


def our_step(model: Any, frames: Any, masks: Any) -> float:
    """Forward, loss and backward of a clip; masks (T, O, R, R)."""
    from sightline.models.sam2.losses import LossWeights, clip_loss  # noqa: PLC0415
    from sightline.models.sam2.prompts import MaskPrompt  # noqa: PLC0415

    loss = clip_loss(model(frames, {0: MaskPrompt(masks[0])}), masks, LossWeights()).total
    loss.backward()
    return loss.item()


def plain_step(model: Any, frames: Any, masks: Any) -> float:
    """The same, every object for itself; only the encoder's features are shared."""
    import torch  # noqa: PLC0415

    from sightline.models.sam2.losses import LossWeights, clip_loss  # noqa: PLC0415
    from sightline.models.sam2.prompts import MaskPrompt  # noqa: PLC0415
    from sightline.models.sam2.results import Features, MemoryBank  # noqa: PLC0415

    features = model.encode(frames)
    levels = (features.fine, features.middle, features.top, features.position)
    losses = []
    for index in range(masks.shape[1]):
        bank = MemoryBank()
        own = masks[:, index : index + 1]
        for frame in range(len(frames)):
            seen = Features(*(level[frame : frame + 1] for level in levels))
            prompt = MaskPrompt(own[0]) if frame == 0 else None
            result = model.track(seen, frame, prompt, bank, num_frames=len(frames))
            (bank.tracked if frame else bank.conditioning)[frame] = result
        losses.append(clip_loss({**bank.conditioning, **bank.tracked}, own, LossWeights()).total)
    loss = torch.stack(losses).mean()
    loss.backward()
    return loss.item()


def _measure_memory(config: Any, name: str) -> None:
    from sightline.models.sam2.blocks import checkpoint_blocks  # noqa: PLC0415
    from sightline.models.sam2.clip import ClipModel  # noqa: PLC0415
    from sightline.models.sam2.parts import fresh_model  # noqa: PLC0415

    kept = []
    for checkpointed in (False, True):
        model = fresh_model(config, seed=1).train()
        if checkpointed:
            checkpoint_blocks(model, memory_attention=True)
        kept.append(kept_bytes(ClipModel(model).train()))
    share = kept[1] / kept[0]
    print(
        f"{name}: kept for the backward pass, {MEMORY_OBJECTS} objects, {MEMORY_FRAMES} frames, {MEMORY_SIDE} px: "
        f"{kept[0] / 2**20:,.0f} MiB, checkpointed {kept[1] / 2**20:,.0f} MiB, {share:.2f} of it (at most {MOST_MEMORY})"
    )


def kept_bytes(model: Any) -> int:
    """What autograd keeps for the backward pass of a clip and its loss, without the weights."""
    import torch  # noqa: PLC0415

    from sightline.models.sam2.losses import LossWeights, clip_loss  # noqa: PLC0415
    from sightline.models.sam2.prompts import MaskPrompt  # noqa: PLC0415

    frames, first = clip(MEMORY_FRAMES, MEMORY_OBJECTS, MEMORY_SIDE)
    masks = first.float().expand(MEMORY_FRAMES, -1, -1, -1)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = clip_loss(model(frames, {0: MaskPrompt(masks[0])}), masks, LossWeights()).total
    assert loss.requires_grad, "the graph lives until here, so that no storage is counted under another's address"
    return sum(found.values())


if __name__ == "__main__":
    main()
