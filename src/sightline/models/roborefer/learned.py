"""What a published RoboRefer was trained to do, because its shape does not tell.

| checkpoint    | trained                                   | points | not visible |
|---------------|-------------------------------------------|--------|-------------|
| `Depth-Align` | the depth projector alone, on NVILA-Lite  | no     | no          |
| `SFT`         | all of it, on RefSpatial and instructions | yes    | no          |

A Depth-Align checkpoint answers with points if it is asked to, but was never taught: its scores are those of its base. It is known
by the `tune_...` fields of its config, or by its folder's name. None of them ever saw an object that is not there.
Source: Zhoues/RoboRefer, training scripts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEPTH_ALIGN, SFT = "depth-align", "sft"
OTHERS = ("tune_language_model", "tune_mm_projector", "tune_vision_tower", "tune_depth_tower")


@dataclass(frozen=True)
class Learned:
    """`stage` as published, or "unknown" (a fine-tune of ours, say). None: not known."""

    stage: str
    points: bool | None
    not_visible: bool | None

    @property
    def warning(self) -> str | None:
        """What a reader of its scores has to know."""
        if self.points is False:
            return (
                "a Depth-Align checkpoint: only its depth projector was trained, and it never learnt to point. Its scores are "
                "those of its base, not of RoboRefer; use RoboRefer-2B-SFT for those."
            )
        if self.not_visible is False:
            return "RoboRefer-SFT never learnt to say NOT_VISIBLE: what it scores on absent objects is its instruction's doing."
        return None


def forget(published: dict[str, Any]) -> dict[str, Any]:
    """The fields of a top config without what was trained of the checkpoint: to be called once it is trained further."""
    return {name: value for name, value in published.items() if not name.startswith("tune_")}


def what_it_learned(folder: Path, published: dict[str, Any] | None) -> Learned:
    """By the top config's fields, then by the folder's name."""
    fields = published or {}
    only_depth = fields.get("tune_depth_projector") is True and not any(fields.get(name, True) for name in OTHERS)
    names = {path.name.lower().replace("_", "-") for path in (folder, folder.resolve())}
    if only_depth or any(DEPTH_ALIGN in name for name in names):
        return Learned(DEPTH_ALIGN, points=False, not_visible=False)
    if any(name.startswith("roborefer-") and name.endswith(f"-{SFT}") for name in names):
        return Learned(SFT, points=True, not_visible=False)
    return Learned("unknown", points=None, not_visible=None)
