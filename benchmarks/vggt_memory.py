"""The memory that VGGT-1B needs for many frames, ours against the plain way, without a GPU and without its weights.

Nothing is computed: the full-size network runs on fake tensors, and torch's own tracker follows which of them are alive. The plain
way keeps the tokens of all layers and runs every block on all tokens at once; ours keeps the layers that the heads read and works
piece by piece. Both have the aggregator in bfloat16, the heads in float32, and 8 frames at once in the dense heads. That the two
give the same numbers is tested at a small size (tests/models/vggt).
"""

from importlib.util import find_spec
from typing import Any

NUM_FRAMES = (64,)
HEIGHT, WIDTH = 392, 518
MOST = 0.5
GIB = 2**30


def main() -> None:
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    print(f"VGGT-1B in bfloat16, frames of {WIDTH} x {HEIGHT}, peak of what is alive beside the weights:")
    share = 1.0
    for num_frames in NUM_FRAMES:
        plain, ours = (peak_bytes(way, num_frames) for way in (plain_forward, our_forward))
        share = ours / plain
        print(f"  {num_frames:3} frames: plain {plain / GIB:6.2f} GiB, ours {ours / GIB:6.2f} GiB, {share:.2f} of it")
    print(f"  at most {MOST} for {NUM_FRAMES[-1]} frames: {'yes' if share <= MOST else 'NO'}")
    if share > MOST:
        raise SystemExit(1)


def peak_bytes(way: Any, num_frames: int) -> int:
    """The most bytes alive at once while `way` runs on that many frames, without weights and pictures."""
    import torch  # noqa: PLC0415 - an extra
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415
    from torch.distributed._tools.mem_tracker import MemTracker  # noqa: PLC0415

    from sightline.models.vggt.config import VggtConfig  # noqa: PLC0415
    from sightline.models.vggt.model import Vggt  # noqa: PLC0415

    with FakeTensorMode(), torch.no_grad():
        model = Vggt(VggtConfig()).eval()
        for module in model.aggregator.modules():  # `bfloat16()` cannot swap fake tensors
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, torch.nn.Parameter(weight.bfloat16()))
        images = torch.rand(1, num_frames, 3, HEIGHT, WIDTH)
        weights = sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), images))
        tracker = MemTracker()
        tracker.track_external(model, images)
        with tracker:
            way(model, images)
        (peak,) = tracker.get_tracker_snapshot("peak").values()
        return peak["Total"] - weights


def our_forward(model: Any, images: Any) -> Any:
    """All of what the model says, as it is used."""
    return model(images)


def plain_forward(model: Any, images: Any) -> Any:
    """The same with all layers kept and nothing in pieces but the dense heads."""
    import torch  # noqa: PLC0415

    from sightline.models.vggt.aggregator import Chunks  # noqa: PLC0415
    from sightline.models.vggt.rotary import Rotary  # noqa: PLC0415

    aggregator, num_frames = model.aggregator, images.shape[1]
    tokens = aggregator._tokens(images, Chunks(frames=num_frames))  # (S, N, C)
    rows, columns = aggregator._grid(images)
    within, across = (Rotary(rows, columns, num_special=5, num_frames=count) for count in (1, num_frames))
    layers = {}
    for layer, (frame_block, global_block) in enumerate(zip(aggregator.frame_blocks, aggregator.global_blocks, strict=True)):
        of_frames = frame_block(tokens, within)
        tokens = global_block(of_frames.flatten(0, 1)[None], across).view_as(of_frames)
        layers[layer] = torch.cat([of_frames, tokens], dim=-1)[None]
    return model.geometry(layers, *images.shape[-2:])


if __name__ == "__main__":
    main()
