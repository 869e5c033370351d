"""SAM 2 on 8 objects of a clip at 128 px: all at once against transformers' own loop over objects.

Two networks of random weights: the published tiny size, and a smaller one whose layers cost less than calling them. Both ways run
on one thread over the same frames; transformers' loop keeps its own cache of a frame's features and encodes a frame once, too.
Times are CPU time (user and system) of this process, since machines are shared. Our masks are checked against our plain forward
pass. transformers' loop rounds its memories to bfloat16 and makes a prompted mask's pointer in another way, so its masks differ
slightly; it is here for its time. GPU figures at the published sizes come from `gpu_sam2`.
"""

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

NUM_OBJECTS, NUM_FRAMES, SIDE, ROUNDS = 8, 12, 128, 5
EXACT = 1e-4


def main() -> None:
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    import torch  # noqa: PLC0415 - an extra
    from transformers import Sam2VideoConfig  # noqa: PLC0415

    from sightline.models.sam2.architecture import resized, tiny_config  # noqa: PLC0415

    torch.set_num_threads(1)
    for name, config in (("published tiny", resized(Sam2VideoConfig(), SIDE)), ("1.5 million weights", tiny_config(SIDE))):
        print(f"{name}: {NUM_OBJECTS} objects, {NUM_FRAMES} frames, {SIDE} px, one thread, CPU time, median of {ROUNDS}:")
        _compare(config)


def _compare(config: Any) -> None:
    import torch  # noqa: PLC0415

    model = new_model(config)
    frames, masks = clip(NUM_FRAMES, NUM_OBJECTS, SIDE)
    difference = (ours(model, frames, masks) - _plain(model, frames, masks)).abs().max().item()
    if difference > EXACT:
        raise SystemExit(f"our masks differ from our plain forward pass by {difference:.1e}, more than {EXACT:.0e}")
    ways: dict[str, Callable[[], Any]] = {
        "transformers, object by object": lambda: stock(model.model, frames, masks),
        "ours, object by object": lambda: [ours(model, frames, mask[None]) for mask in masks],
        "ours, all at once": lambda: ours(model, frames, masks),
        "  of it the image encoder": lambda: _encode(model, frames),
        "transformers, one object alone": lambda: stock(model.model, frames, masks[:1]),
        "ours, one object alone": lambda: ours(model, frames, masks[:1]),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            started = time.process_time()
            run()
            times[name].append(time.process_time() - started)
    for name, taken in times.items():
        theirs = times["transformers, one object alone" if name.endswith("alone") else "transformers, object by object"]
        gain = statistics.median(a / b for a, b in zip(theirs, taken, strict=True))
        note = "" if name.startswith(" ") else f"   {gain:5.2f}x"
        print(f"  {name:32} {statistics.median(taken):7.3f} s{note}")
    print(f"  largest difference to the plain forward pass: {difference:.1e}; threads {torch.get_num_threads()}")


def new_model(config: Any) -> Any:
    """A network of random weights in which every object is present; the masks of absent ones would all be equal."""
    import torch  # noqa: PLC0415

    from sightline.models.sam2.clip import ClipModel  # noqa: PLC0415
    from sightline.models.sam2.parts import fresh_model  # noqa: PLC0415

    model = ClipModel(fresh_model(config, seed=1)).eval()
    with torch.no_grad():
        model.model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5)
    return model


def clip(num_frames: int, num_objects: int, side: int) -> tuple[Any, Any]:
    """Frames of noise (T, 3, R, R) and the first frame's masks (O, R, R)."""
    import torch  # noqa: PLC0415

    frames = torch.randn((num_frames, 3, side, side), generator=torch.Generator().manual_seed(1))
    masks = torch.zeros((num_objects, side, side), dtype=torch.bool)
    for index in range(num_objects):
        top, left = side * index // (2 * num_objects), side * index // (3 * num_objects)
        masks[index, top : top + side // 4, left : left + side // 3] = True
    return frames, masks


def ours(model: Any, frames: Any, masks: Any) -> Any:
    """The masks (T, O, R/4, R/4) of all objects, followed together."""
    import torch  # noqa: PLC0415

    from sightline.models.sam2.propagate import ObjectPrompt, propagate  # noqa: PLC0415

    prompts = [ObjectPrompt(frame=0, object_id=str(index), mask=mask) for index, mask in enumerate(masks)]
    return torch.stack([found.low_res for found in propagate(model, frames, prompts)])


def stock(model: Any, frames: Any, masks: Any) -> None:
    """transformers' own loop."""
    import torch  # noqa: PLC0415
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession  # noqa: PLC0415

    side, device = frames.shape[-1], frames.device
    session = Sam2VideoInferenceSession(
        video=frames, video_height=side, video_width=side, dtype=torch.float32, inference_device=device,
        inference_state_device=device, video_storage_device=device,
    )  # fmt: skip
    for index, mask in enumerate(masks):
        session.add_mask_inputs(session.obj_id_to_idx(index), 0, mask[None, None].float())
        session.obj_with_new_inputs.append(index)
    with torch.inference_mode():
        for _ in model.propagate_in_video_iterator(session, start_frame_idx=0):
            pass


def _plain(model: Any, frames: Any, masks: Any) -> Any:
    import torch  # noqa: PLC0415

    from sightline.models.sam2.prompts import MaskPrompt  # noqa: PLC0415

    with torch.no_grad():
        results = model(frames, {0: MaskPrompt(masks)})
    return torch.stack([results[frame].steps[-1].chosen_low_res for frame in range(len(frames))])


def _encode(model: Any, frames: Any) -> None:
    import torch  # noqa: PLC0415

    from sightline.models.sam2.shortcuts import shortcuts, taken  # noqa: PLC0415

    with torch.inference_mode(), taken(shortcuts(model.model)):
        for start in range(0, len(frames), 4):
            model.encode(frames[start : start + 4])


if __name__ == "__main__":
    main()
