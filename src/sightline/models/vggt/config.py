"""The sizes of a VGGT network; the defaults are those of VGGT-1B.

The published config.json names three of them (`img_size`, `patch_size`, `embed_dim`); the others are fixed in its code. A network
of other sizes is saved here with all of them.
"""

from pathlib import Path

import msgspec

from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import Record


class VggtConfig(Record):
    """`image_size` is the side (pixels) whose patches the stored position grid numbers; pictures may have any other size.

    `head_layers` are the aggregator layers that the dense heads read, from fine to deep; `head_channels` their widths there.
    """

    image_size: int = 518
    patch_size: int = 14
    width: int = 1024
    depth: int = 24
    num_heads: int = 16
    num_registers: int = 4
    mlp_ratio: int = 4
    patch_depth: int = 24
    patch_heads: int = 16
    patch_registers: int = 4
    camera_depth: int = 4
    camera_heads: int = 16
    head_width: int = 256
    head_channels: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    head_layers: tuple[int, int, int, int] = (4, 11, 17, 23)

    @property
    def num_special(self) -> int:
        """Tokens of a frame before its patches: one camera token and the registers."""
        return 1 + self.num_registers


class _Published(msgspec.Struct):
    """What config.json of a published checkpoint says of the sizes; other keys are not read."""

    img_size: int = 518
    patch_size: int = 14
    embed_dim: int = 1024
    vggt_sizes: VggtConfig | None = None


def config_of_folder(folder: Path) -> VggtConfig:
    """The sizes that FOLDER/config.json gives; those of VGGT-1B where there is no such file.

    Raises:
        InputError: no JSON of this shape.
    """
    path = folder / "config.json"
    return config_of_values(read_json(path, dict), where=str(path)) if path.is_file() else VggtConfig()


def config_of_values(values: dict[str, object], *, where: str) -> VggtConfig:
    """The sizes in a published `config.json`, or in the `spatial_config` of a Spatial-MLLM.

    Raises:
        InputError: a value of another type.
    """
    try:
        found = msgspec.convert(values, _Published)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: sizes of VGGT that cannot be read ({error}).") from error
    if found.vggt_sizes is not None:
        return found.vggt_sizes
    return VggtConfig(image_size=found.img_size, patch_size=found.patch_size, width=found.embed_dim)


def values_of_config(config: VggtConfig) -> dict[str, object]:
    """The inverse of `config_of_values`: the published keys, and under `vggt_sizes` all that differ from VGGT-1B's."""
    return {
        "img_size": config.image_size,
        "patch_size": config.patch_size,
        "embed_dim": config.width,
        "vggt_sizes": msgspec.to_builtins(config),
    }
