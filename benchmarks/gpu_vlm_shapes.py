"""Shapes of published vision-language models, filled with random weights, and the work that a sample takes in them.

Work is counted in floating-point operations, forward and backward, of what these samples need at least: no padding, each picture
once, the head on supervised tokens alone.

    3 * (2 * (layers * tokens + head * supervised + blocks * patches + merger * picture tokens) + attention)

`layers`, `head`, `blocks` and `merger` are numbers of parameters, without word and position embeddings. `attention` is 2 * layers *
width * n^2 for the n tokens of a sample (causal), 4 * layers * width * p * s for the p patches of a picture, of which each sees s:
all, or those of its window.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QWEN3_VISION = {
    "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [5, 11, 17],
}  # fmt: skip
QWEN3_ROPE = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
SHAPES: dict[str, dict[str, Any]] = {  # the numbers of the published config.json
    "qwen2.5-vl-3b": {
        "text": {
            "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 2, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        },
        "vision": {
            "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048,
            "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
        },
    },
    "qwen3-vl-2b": {
        "text": {
            "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16,
            "num_key_value_heads": 8, "head_dim": 128, "rope_parameters": QWEN3_ROPE,
        },
        "vision": QWEN3_VISION | {"out_hidden_size": 2048},
    },
    "qwen3-vl-4b": {
        "text": {
            "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
            "num_key_value_heads": 8, "head_dim": 128, "rope_parameters": QWEN3_ROPE,
        },
        "vision": QWEN3_VISION | {"out_hidden_size": 2560},
    },
}  # fmt: skip
VOCABULARY = 151_936


def processor_folder(name: str, folder: Path) -> Path:
    """A folder with the family's genuine processor and a small tokenizer; its own tiny weights are not used."""
    from tests.models.huggingface.checkpoints import save_qwen3, save_qwen25  # noqa: PLC0415

    return (save_qwen25 if name.startswith("qwen2.5") else save_qwen3)(folder)


def model_of_shape(name: str, folder: Path, *, device: str, tiny: bool) -> Any:
    """A model of this shape on a device, bfloat16 on a GPU, with the head in its word embeddings as published. `tiny`: that of
    `processor_folder` as it is."""
    import torch  # noqa: PLC0415 - an extra
    import transformers  # noqa: PLC0415

    config: Any = transformers.AutoConfig.from_pretrained(folder)
    if not tiny:
        words = {key: getattr(config.text_config, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
        sizes = {"vocab_size": VOCABULARY, "max_position_embeddings": 128_000}
        config.text_config = type(config.text_config)(**words, **sizes, **SHAPES[name]["text"])
        config.vision_config = type(config.vision_config)(**SHAPES[name]["vision"])
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = True
    torch.manual_seed(0)
    with torch.device(device):
        model: Any = transformers.AutoModelForImageTextToText.from_config(
            config, dtype=torch.bfloat16 if device == "cuda" else torch.float32
        )
    model.tie_weights()
    return model.train()


@dataclass(frozen=True)
class Sizes:
    """What the work of a sample follows from."""

    layers: int
    head: int
    blocks: int
    merger: int
    text: tuple[int, int]  # layers, width of attention
    vision: tuple[int, int, int, int]  # blocks that see all, others, width, patches of a window
    merged: int  # patches a token

    @classmethod
    def of(cls, model: Any) -> "Sizes":
        named = [(name, parameter.numel()) for name, parameter in model.named_parameters()]
        text, vision = model.config.text_config, model.config.vision_config
        words = text.vocab_size * text.hidden_size
        visual = [(name, size) for name, size in named if ".visual." in name and "pos_embed" not in name]
        merger = sum(size for name, size in visual if "merger" in name)
        whole = len(getattr(vision, "fullatt_block_indexes", range(vision.depth)))
        head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        window = (getattr(vision, "window_size", 0) // vision.patch_size) ** 2
        return cls(
            layers=sum(size for name, size in named if ".language_model." in name) - words,
            head=words,
            blocks=sum(size for _, size in visual) - merger,
            merger=merger,
            text=(text.num_hidden_layers, text.num_attention_heads * head_dim),
            vision=(whole, vision.depth - whole, vision.hidden_size, window),
            merged=vision.spatial_merge_size**2,
        )

    def flops(self, tokens: Iterable[int], supervised: int, patches: Iterable[float]) -> float:
        """Forward and backward of samples with these tokens each, and of pictures with these patches each; see the module."""
        lengths, pictures = list(tokens), list(patches)
        seen = sum(pictures)
        products = self.layers * sum(lengths) + self.head * supervised + self.blocks * seen + self.merger * seen / self.merged
        whole, windowed, width, window = self.vision
        attention = 2 * self.text[0] * self.text[1] * sum(n * n for n in lengths)
        attention += 4 * width * sum(whole * p * p + windowed * p * min(window, p) for p in pictures)
        return 3 * (2 * products + attention)
