"""What a RoboRefer is built from, in one record that transformers can save and load.

The published folder spreads this over six `config.json` files (`layout`); one folder of ours has it all in one, so that
`save_pretrained` and `from_pretrained` work as for any model of transformers.
"""

import contextlib
from typing import Any, Literal, get_args, no_type_check

from transformers import AutoConfig, PreTrainedConfig, Qwen2Config, SiglipVisionConfig
from transformers.configuration_utils import SubConfigSpec

from sightline.errors import InputError, unknown_name
from sightline.models.roborefer.tiling import TilingRule, known_mode

MODEL_TYPE = "roborefer"
ProjectorType = Literal["mlp_downsample", "mlp_downsample_2x2_fix", "mlp_downsample_3x3_fix"]
PROJECTOR_TYPES: tuple[ProjectorType, ...] = get_args(ProjectorType)


# transformers gives it an __init__ that takes more than its fields, which the checks of annotations in tests would refuse
@no_type_check
class RoboReferConfig(PreTrainedConfig):
    """Two towers, two projectors and a language model.

    `depth_config` is None where depth goes through the vision tower; `depth_projector_type` None: the model takes no depth.
    `feature_layer` counts hidden states from the end, as the published `mm_vision_select_layer` does: -2 leaves out the last
    encoder layer. `image_mode` and the numbers of tiles say how a picture is cut (`tiling.TilingRule`). `scale_index`: the scale to
    whose grid the others are brought in `dynamic_s2`.
    """

    model_type = MODEL_TYPE
    sub_configs_defaults = {
        "vision_config": SubConfigSpec(config_class=SiglipVisionConfig),
        "depth_config": SubConfigSpec(config_class=SiglipVisionConfig, optional=True),
        "text_config": SubConfigSpec(config_class=Qwen2Config),
    }

    vision_config: dict | PreTrainedConfig | None = None
    depth_config: dict | PreTrainedConfig | None = None
    text_config: dict | PreTrainedConfig | None = None
    mm_projector_type: str = "mlp_downsample_3x3_fix"
    depth_projector_type: str | None = "mlp_downsample_3x3_fix"
    feature_layer: int = -2
    image_mode: str = "dynamic"
    min_tiles: int = 1
    max_tiles: int = 12
    scales: list[int] | tuple[int, ...] = (448, 896, 1344)
    scale_index: int = -1
    image_token_id: int = 151649
    depth_token_id: int = 151651
    newline_token_id: int = 198
    image_mean: list[float] | tuple[float, ...] = (0.5, 0.5, 0.5)
    image_std: list[float] | tuple[float, ...] = (0.5, 0.5, 0.5)
    published: dict[str, Any] | None = None
    """The fields of the published top `config.json` that nothing here reads, to be written back."""
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - transformers'
        super().__post_init__(**kwargs)
        self.tie_word_embeddings = self.text_config.tie_word_embeddings  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]

    @property
    def tiling(self) -> TilingRule:
        """How pictures are cut.

        Raises:
            InputError: an unknown mode, or numbers that make no sense together.
        """
        side: Any = self.vision_config.image_size  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        return TilingRule(
            mode=known_mode(self.image_mode),
            side=side,
            min_tiles=self.min_tiles,
            max_tiles=self.max_tiles,
            scales=tuple(self.scales),
            mean=tuple(self.image_mean),
            std=tuple(self.image_std),
        )


def check_projector(kind: str, where: str) -> ProjectorType:
    """The type of a projector.

    Raises:
        InputError: none that is known; the message lists them.
    """
    for known in PROJECTOR_TYPES:
        if kind == known:
            return known
    raise InputError(f"{where}: {unknown_name('projector of RoboRefer', kind, PROJECTOR_TYPES)}")


def register() -> None:
    """Tell transformers' `Auto` classes of this family; once in a process."""
    from transformers import AutoModelForImageTextToText  # noqa: PLC0415 - slow to import

    from sightline.models.roborefer.modeling import RoboReferForConditionalGeneration  # noqa: PLC0415 - imports this module

    with contextlib.suppress(ValueError):  # it is registered already
        AutoConfig.register(MODEL_TYPE, RoboReferConfig)
        AutoModelForImageTextToText.register(RoboReferConfig, RoboReferForConditionalGeneration)
