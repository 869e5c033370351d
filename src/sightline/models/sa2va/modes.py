"""On which frames of a clip SAM 2 is told what to look for, by name.

    official     the first frames, as published. The clip's other frames follow by memory, which is kept in bfloat16, and the
                 language model sees only those first frames. In training every frame is prompted and there is no memory at all.
    consistent   key frames spread evenly, the first and the last among them; the language model sees these. Training and
                 inference are the same computation: key frames first, then the others in time order, by memory in float32.

That published training has no memory and inference has it costs accuracy (up to 11.6 J&F: Sa2VA-i, Nekrasov et al. 2025).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from sightline.errors import InputError, unknown_name

NUM_PROMPTED = 5


@dataclass(frozen=True)
class Mode:
    """`spread`: over the whole clip; else the first frames. `memory_dtype`: what memories are rounded to; None: not at all."""

    name: str
    spread: bool
    memory_dtype: torch.dtype | None = None
    num_prompted: int = NUM_PROMPTED

    def key_frames(self, num_frames: int) -> tuple[int, ...]:
        """The prompted frames of a clip, ascending; all of them where it has no more than that. Frame 0 is always one."""
        count = min(self.num_prompted, num_frames)
        if not self.spread or count < 2:
            return tuple(range(count))
        # integers alone, so that no machine rounds another way; halves go up
        gaps = count - 1
        return tuple((2 * place * (num_frames - 1) + gaps) // (2 * gaps) for place in range(count))


MODES: Mapping[str, Mode] = {
    "official": Mode("official", spread=False, memory_dtype=torch.bfloat16),
    "consistent": Mode("consistent", spread=True),
}
ModeName = Literal["official", "consistent"]


def get_mode(name: str, *, num_prompted: int = NUM_PROMPTED) -> Mode:
    """The mode of that name, with so many prompted frames.

    Raises:
        InputError: no such mode, or less than one frame.
    """
    if name not in MODES:
        raise unknown_name("mode of Sa2VA", name, MODES)
    if num_prompted < 1:
        raise InputError(f"Sa2VA: {num_prompted} prompted frames; expected 1 or more.")
    mode = MODES[name]
    return Mode(mode.name, spread=mode.spread, memory_dtype=mode.memory_dtype, num_prompted=num_prompted)
