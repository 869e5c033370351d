"""Names of RoboRefer's tensors in the published sub-folders and in our model, both ways.

llm/              model.layers.0...         model.language_model.layers.0...
                  lm_head.weight            lm_head.weight (not in the file where it is the word embedding)
vision_tower/     vision_model.encoder...   model.vision_tower.encoder...
depth_tower/      vision_model.encoder...   model.depth_tower.encoder...
mm_projector/     layers.1.weight           model.mm_projector.layers.1.weight
depth_projector/  layers.1.weight           model.depth_projector.layers.1.weight
"""

from typing import Literal, get_args

from sightline.errors import InputError

PartName = Literal["llm", "vision_tower", "depth_tower", "mm_projector", "depth_projector"]
PARTS: tuple[PartName, ...] = get_args(PartName)
HEAD = "lm_head.weight"
POOLING = "vision_model.head."
"""How the names of a tower's pooling head begin, which RoboRefer does not use."""
_STARTS: dict[PartName, tuple[str, str]] = {
    "llm": ("model.", "model.language_model."),
    "vision_tower": ("vision_model.", "model.vision_tower."),
    "depth_tower": ("vision_model.", "model.depth_tower."),
    "mm_projector": ("layers.", "model.mm_projector.layers."),
    "depth_projector": ("layers.", "model.depth_projector.layers."),
}


def to_model(part: PartName, name: str) -> str:
    """Our name of the tensor `name` in the sub-folder `part`.

    Raises:
        InputError: no tensor of that part is called so.
    """
    published, ours = _STARTS[part]
    if part == "llm" and name == HEAD:
        return HEAD
    if not name.startswith(published):
        raise InputError(f"{part}/: {name!r} is no tensor of this part; expected names that begin with {published!r}.")
    return ours + name.removeprefix(published)


def to_published(name: str) -> tuple[PartName, str]:
    """The sub-folder and the name there of a tensor of ours; the inverse of `to_model`.

    Raises:
        InputError: no tensor of RoboRefer is called so.
    """
    if name == HEAD:
        return "llm", HEAD
    for part, (published, ours) in _STARTS.items():
        if name.startswith(ours):
            return part, published + name.removeprefix(ours)
    raise InputError(f"{name!r} is no tensor of RoboRefer.")
