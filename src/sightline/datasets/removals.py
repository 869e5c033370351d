"""Removals as the demonstrations of inpainting tools publish them: a photo, the photo with the object tinted, and the result.

    {root}/dog.jpg
    {root}/dog/with_mask.png               the object's mask exists only as this tint (here with a star at the clicked point)
    {root}/dog/inpainted_with_mask.png

Surprises: the tinted picture may be a pixel smaller than the photo, and shifted by that pixel. Source: geekyutao/Inpaint-Anything.
"""

from pathlib import Path

from sightline.errors import InputError
from sightline.types import RemovalTriple


def list_removals(root: Path) -> list[RemovalTriple]:
    """One triple for each folder with a tinted picture under `root`, by name. Its other two files may be absent.

    Raises:
        FileNotFoundError: no such root.
        InputError: no tinted picture under it.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds {{name}}.jpg and {{name}}/with_mask.png.")
    names = sorted(path.parent.name for path in root.glob("*/with_mask.png") if not path.parent.name.startswith("."))
    if not names:
        raise InputError(f"{root} has no removals: expected {{name}}.jpg beside {{name}}/with_mask.png.")
    return [
        RemovalTriple(
            removal_id=name,
            photo=f"{name}.jpg",
            overlay=f"{name}/with_mask.png",
            removed=f"{name}/inpainted_with_mask.png",
        )
        for name in names
    ]
