"""The weights of a run as a checkpoint folder of the kind that it began from, which everything that loads such folders loads.

    FOLDER/config.json, generation_config.json, model.safetensors        as `save_pretrained` writes them, LoRA in the weights
    FOLDER/processor_config.json, tokenizer.json, chat_template.jinja    with the pixel limits of training

The pixel limits stand in the processor, so that prediction takes them without being told. An architecture of ours has its own
layout (`models.architectures`).
"""

from pathlib import Path
from typing import Any

from sightline.train.vlm.chat import Chat
from sightline.train.vlm.lora import merged


def export_weights(model: Any, chat: Chat, folder: Path) -> None:  # noqa: ANN401 - any of transformers' models
    """Write `folder`, whole or not at all. `model` stays as it is.

    Raises:
        InputError: `folder` is there already.
        OSError: the disk is full, for example.
    """
    plain = merged(model) if any("lora_" in name for name, _ in model.named_parameters()) else model
    chat.checkpoint.write(plain, folder)
