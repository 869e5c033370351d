"""The weights that a run ends with, in both published forms.

    RUN/weights/sam2_video/config.json, model.safetensors    transformers: Sam2VideoModel.from_pretrained
    RUN/weights/sam2.pt                                      facebookresearch/sam2: {"model": state}
    RUN/weights/sam2.yaml                                    its configuration, where the run was given one

All of them appear together or not at all. LoRA is added to the weights it stands beside.
"""

from pathlib import Path
from typing import Any

from transformers import Sam2VideoModel

from sightline.errors import InputError
from sightline.files import whole_folder, write_whole
from sightline.models.sam2.lora import merged
from sightline.models.sam2.weights import write_folder, write_original

FOLDER, ORIGINAL, YAML = "sam2_video", "sam2.pt", "sam2.yaml"


def publish_weights(model: Sam2VideoModel, folder: Path, *, config_path: Path | None = None) -> None:
    """Write the model into `folder`, which must not be there yet.

    Args:
        config_path: the original YAML that the model was made from; its image size and memory are set to the model's.

    Raises:
        InputError: `folder` is there already.
        OSError: the disk is full, for example; then nothing of the folder is there.
    """
    plain = merged(model).cpu()
    with whole_folder(folder) as partial:
        write_folder(plain, partial / FOLDER)
        write_original(plain, partial / ORIGINAL)
        if config_path is not None:
            write_whole(partial / YAML, _yaml_of(plain, config_path))


def _yaml_of(model: Sam2VideoModel, config_path: Path) -> bytes:
    import yaml  # noqa: PLC0415

    content: Any = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise InputError(f"{config_path}: no SAM 2 model in it. Expected a file like sam2.1_hiera_t.yaml.")
    content["model"] |= {
        "image_size": model.config.image_size,
        "num_maskmem": model.config.num_maskmem,
        "max_obj_ptrs_in_encoder": model.config.max_object_pointers_in_encoder,
    }
    return yaml.safe_dump(content, sort_keys=False).encode()
