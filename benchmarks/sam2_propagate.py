"""SAM 2 on 8 objects of a clip: all at once against one after another, with transformers' own loop and with ours.

The network is small and random (128 px), so that a CPU can run it; GPU figures at the published sizes come from `gpu_sam2`.
Our masks, together and one by one, are checked to be equal. transformers' own loop rounds its memories to bfloat16 and makes a
prompted mask's pointer in another way, so its masks differ; it is here for its time.
"""

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

NUM_OBJECTS, NUM_FRAMES, SIDE, ROUNDS = 8, 12, 128, 5


def main() -> None:
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    from sightline.models.sam2.architecture import tiny_config  # noqa: PLC0415
    from sightline.models.sam2.clip import ClipModel, Sam2VideoModel  # noqa: PLC0415

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = ClipModel(Sam2VideoModel(tiny_config(SIDE))).eval()
    frames, masks = _clip(torch)
    ways: dict[str, Callable[[], Any]] = {
        "transformers, object by object": lambda: _stock(model.model, frames, masks),
        "ours, object by object": lambda: [_ours(model, frames, masks[index : index + 1]) for index in range(NUM_OBJECTS)],
        "ours, all at once": lambda: _ours(model, frames, masks),
    }
    together, apart = ways["ours, all at once"](), torch.cat(ways["ours, object by object"](), dim=1)
    torch.testing.assert_close(together, apart, atol=1e-3, rtol=0)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    best = {name: statistics.median(found) for name, found in times.items()}
    print(f"{NUM_OBJECTS} objects, {NUM_FRAMES} frames, {SIDE} px, one thread, median of {ROUNDS}:")
    for name, seconds in best.items():
        print(f"  {name:32} {seconds:7.2f} s   {best['transformers, object by object'] / seconds:5.2f}x")


def _clip(torch: Any) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn((NUM_FRAMES, 3, SIDE, SIDE), generator=generator)
    masks = torch.zeros((NUM_OBJECTS, SIDE, SIDE), dtype=torch.bool)
    for index in range(NUM_OBJECTS):
        masks[index, 10 * index : 10 * index + 30, 8 * index : 8 * index + 40] = True
    return frames, masks


def _ours(model: Any, frames: Any, masks: Any) -> Any:
    import torch  # noqa: PLC0415

    from sightline.models.sam2.propagate import ObjectPrompt, propagate  # noqa: PLC0415

    prompts = [ObjectPrompt(frame=0, object_id=str(index), mask=mask) for index, mask in enumerate(masks)]
    return torch.stack([found.low_res for found in propagate(model, frames, prompts)])


def _stock(model: Any, frames: Any, masks: Any) -> None:
    import torch  # noqa: PLC0415
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession  # noqa: PLC0415

    session = Sam2VideoInferenceSession(video=frames, video_height=SIDE, video_width=SIDE, dtype=torch.float32)
    for index, mask in enumerate(masks):
        session.add_mask_inputs(session.obj_id_to_idx(index), 0, mask[None, None].float())
        session.obj_with_new_inputs.append(index)
    with torch.inference_mode():
        for _ in model.propagate_in_video_iterator(session, start_frame_idx=0):
            pass
