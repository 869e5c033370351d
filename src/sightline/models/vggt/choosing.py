"""Space-aware frames by VGGT's own points: those of its frames that together see most of the room, kept for builds.

What is kept, and under which names, stands in `tasks.point_choices`. The pictures are prepared as the sampling tool of Spatial-MLLM
does (a tall one is turned); the tool runs under bfloat16 autocast, so that near ties may fall otherwise there.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from jaxtyping import Float, UInt8

from sightline.errors import InputError
from sightline.files import read_json, write_json
from sightline.models.vggt.model import Vggt
from sightline.models.vggt.pictures import prepare_pictures
from sightline.models.vggt.scene import digest_of
from sightline.models.vggt.sources import open_source
from sightline.tasks.frame_rules import FrameRule, candidates
from sightline.tasks.point_choices import SETTINGS, ChoiceSettings, KeptChoice, PointsPolicy, file_key, folder_key
from sightline.tasks.space_aware import Chosen, points_aware, reference
from sightline.types import Record

CHOOSERS = {"points_aware": points_aware, "points_reference": reference}


class ChoiceDone(Record):
    """A source's choice; `new` unless it was there before."""

    source: str
    frames: tuple[int, ...]
    num_greedy: int
    num_filled: int
    new: bool


def choice_settings(policy: PointsPolicy, num_frames: int, model: Vggt) -> ChoiceSettings:
    """What all choices of a folder share."""
    dtype = str(model.aggregator.camera_token.dtype).removeprefix("torch.")
    return ChoiceSettings(
        policy=policy, num_frames=num_frames, num_candidates=FrameRule().num_candidates, weights=digest_of(model), dtype=dtype
    )


def open_choices(out: Path, settings: ChoiceSettings) -> None:
    """Begin a folder of choices, or accept one that was made the same way.

    Raises:
        InputError: it was made otherwise.
    """
    path = out / SETTINGS
    if not path.is_file():
        write_json(path, settings)
        return
    kept = read_json(path, ChoiceSettings)
    if differing := [name for name in settings.__struct_fields__ if getattr(kept, name) != getattr(settings, name)]:
        told = ", ".join(f"{name} {getattr(kept, name)} there, {getattr(settings, name)} here" for name in differing)
        raise InputError(f"{out} holds frames that were chosen otherwise ({told}). Choose another --out.")


def choose_frames(
    path: Path, model: Vggt, out: Path, *, settings: ChoiceSettings, on_progress: Callable[[int, int], None] | None = None
) -> ChoiceDone:
    """Choose the frames of the source at `path`, unless that was done, and keep them in `out`.

    Raises:
        FileNotFoundError, InputError: no such source, or frames that cannot be read; no point is sure, or all lie in a plane.
    """
    report = on_progress or (lambda *_: None)
    report(0, 2)
    source = open_source(path)
    places = candidates(source.num_frames, FrameRule(num_candidates=settings.num_candidates))
    pictures = [source.pictures[place] for place in places] if source.pictures else []
    kept = out / f"{folder_key(pictures, source.num_frames) if pictures else file_key(path)}.json"
    new = not kept.is_file()
    if new:
        frames = source.read(places)
        report(1, 2)
        try:
            found = _chosen(model, frames, settings)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        chosen = msgspec.structs.replace(
            found, frames=tuple(places[each] for each in found.frames), order=tuple(places[each] for each in found.order)
        )
        write_json(kept, KeptChoice(source=source.name, num_frames=source.num_frames, chosen=chosen))
    chosen = read_json(kept, KeptChoice).chosen
    report(2, 2)
    return ChoiceDone(source=str(path), frames=chosen.frames, num_greedy=chosen.num_greedy, num_filled=chosen.num_filled, new=new)


def _chosen(model: Vggt, frames: list[UInt8[np.ndarray, "_h _w 3"]], settings: ChoiceSettings) -> Chosen:
    """Positions among `frames`."""
    images = torch.from_numpy(prepare_pictures(frames, mode="turned"))[None].to(model.aggregator.camera_token.device)
    with torch.inference_mode():
        geometry = model(images)
    points, confidence = (_array(value) for value in (geometry.points, geometry.points_confidence))
    return CHOOSERS[settings.policy](points, confidence, settings.num_frames)


def _array(value: torch.Tensor | None) -> Float[np.ndarray, "..."]:
    assert value is not None, "the network has its point head"
    return value[0].float().cpu().numpy()
