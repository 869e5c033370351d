"""Depth-estimation checkpoints on this machine, run by transformers: Depth Anything, DPT, ZoeDepth, Depth Pro, GLPN.

Any checkpoint that `AutoModelForDepthEstimation` loads, with its own image processor. Always in float32: bfloat16 has 8 significant
bits, too few even for the coarsest codec. One picture at a time, so that its map does not depend on others.

What the numbers are is said by the config of Depth Anything (`depth_estimation_type`), and by what the authors of the other
families publish. DPT is MiDaS (inverse depth), unless its backbone is DINOv2: such checkpoints do not say which kind they are.

Back to the picture's size: as the authors of Depth Anything do it (bilinear, corners on corners), which RoboRefer's depth was made
with; for other families by the checkpoint's own processor, which also takes off the padding of ZoeDepth and applies the field of
view of Depth Pro. The padding of DPT (`do_pad`), which its processor leaves on, is taken off here.
"""

import importlib.util
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from sightline.depth_codecs import DepthCodec
from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.checkpoint import CONFIG, Checkpoint, open_checkpoint
from sightline.models.huggingface.asked import refuse_missing
from sightline.taskset.depth import DepthSettings, Quantity

PACKAGES = ("torch", "transformers")
TASK = "ForDepthEstimation"
ALIGNED_CORNERS = frozenset({"depth_anything"})
LEFT_PADDED = frozenset({"dpt"})
"""Families whose maps are brought to the picture's size here, and whose padding is taken off here; see the module's docstring."""


def _of_depth_anything(config: dict[str, Any]) -> Quantity:
    return "metres" if config.get("depth_estimation_type", "relative") == "metric" else "inverse"


def _of_dpt(config: dict[str, Any]) -> Quantity | None:
    backbone = config.get("backbone_config") or {}
    return None if "dinov2" in str(backbone.get("model_type")) else "inverse"


FAMILIES: dict[str, Callable[[dict[str, Any]], Quantity | None]] = {
    "depth_anything": _of_depth_anything,
    "dpt": _of_dpt,
    "depth_pro": lambda _: "metres",
    "glpn": lambda _: "metres",
    "zoedepth": lambda _: "metres",
}
"""What a checkpoint of a `model_type` gives, by its config; None where that does not say."""


def depth_model(folder: str, *, quantity: Quantity | None = None, device: str | None = None) -> "DepthModel":
    """The checkpoint in `folder`. Its weights are loaded when the first picture is seen.

    Args:
        folder: a checkpoint folder, also as `hf:FOLDER`.
        quantity: what its numbers are, for checkpoints that do not say; must not contradict those that do.
        device: a torch device; None takes the GPU where there is one.

    Raises:
        FileNotFoundError: no such folder.
        InputError: torch or transformers are not installed; no whole checkpoint with a processor, or none of a depth network; or it
            is not known what its numbers are.
    """
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"depth needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    checkpoint = open_checkpoint(Path(folder.removeprefix("hf:")).expanduser())
    if not checkpoint.architecture.endswith(TASK):
        raise InputError(
            f"{checkpoint.path}: a {checkpoint.architecture} ({checkpoint.model_type}) does not estimate depth. Expected a "
            f"checkpoint of a class ...{TASK} of transformers, of type {', '.join(FAMILIES)} or another, e.g. Depth Anything V2."
        )
    return DepthModel(checkpoint, _quantity(checkpoint, quantity), device=device)


def _quantity(checkpoint: Checkpoint, asked: Quantity | None) -> Quantity:
    of_config = FAMILIES.get(checkpoint.model_type, lambda _: None)
    known = of_config(read_json(checkpoint.path / CONFIG, dict[str, Any]))
    if known is None and asked is None:
        raise InputError(
            f"{checkpoint.path}: the config of a {checkpoint.model_type} does not say whether its numbers are metres or relative "
            "inverse depth, and that is never guessed. Look it up in the model's description and give --quantity metres or "
            "--quantity inverse."
        )
    if known is not None and asked is not None and asked != known:
        raise InputError(f"{checkpoint.path}: --quantity {asked}, but by its config this checkpoint gives {known}. Leave it out.")
    return known or asked  # pyright: ignore[reportReturnType] - one of them is there


class DepthModel:
    """A depth network. `quantity` says what `estimate` gives."""

    def __init__(self, checkpoint: Checkpoint, quantity: Quantity, *, device: str | None) -> None:
        self.checkpoint = checkpoint
        self.quantity: Quantity = quantity
        self.asked_device = device
        self.name = checkpoint.path.resolve().name

    def settings(self, codec: DepthCodec) -> DepthSettings:
        """What a map of this model in `codec` depends on.

        Raises:
            InputError: a codec of metres, and the model gives relative depth; or a device that is not here.
        """
        if codec.metric and self.quantity == "inverse":
            raise InputError(
                f"{self.checkpoint.path}: codec {codec.name} holds metres, and this checkpoint gives relative inverse depth, whose "
                "scale and offset are unknown in every picture. Use --codec u8x3_minmax, or a metric checkpoint (Depth Anything V2 "
                "Metric, ZoeDepth, Depth Pro)."
            )
        return DepthSettings(
            codec=codec.name,
            quantity=self.quantity,
            model_type=self.checkpoint.model_type,
            architecture=self.checkpoint.architecture,
            revision=self.checkpoint.revision(),
            device="cpu" if self._device == "cpu" else "cuda",
            versions={package: version(package) for package in PACKAGES},
        )

    def estimate(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
        """Depth of a picture, pixel by pixel: metres, or inverse depth (near = large); nothing is cut or clipped.

        Raises:
            InputError: the checkpoint cannot be loaded, gives another size, or the picture is too large for the GPU's memory.
        """
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

        height, width = rgb.shape[:2]
        tensors = self._tensors(rgb)
        with torch.inference_mode():
            try:
                output = self._model(**tensors.to(self._model.device))
                depth = self._resized(output, rgb, tensors["pixel_values"].shape[-2:])  # (H, W)
            except torch.cuda.OutOfMemoryError as error:
                raise InputError(
                    f"model {self.name!r}: out of GPU memory with a picture of {width} x {height} pixels. Use --device cpu; the "
                    "same command goes on where this one stopped."
                ) from error
        if tuple(depth.shape) != (height, width):
            raise InputError(
                f"{self.checkpoint.path}: depth of shape {tuple(depth.shape)} for a picture of {width} x {height} pixels. Get the "
                "processor's files that belong to the model."
            )
        return depth.float().cpu().numpy()

    def _tensors(self, rgb: UInt8[np.ndarray, "h w 3"], **changes: bool) -> Any:  # noqa: ANN401 - transformers'
        try:
            return self._processor(images=Image.fromarray(rgb), return_tensors="pt", **changes)
        except ValueError as error:
            raise InputError(
                f"model {self.name!r}: its processor cannot take a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels ({error}). "
                "It may be too small: use another checkpoint for this task set."
            ) from error

    def _resized(self, output: Any, rgb: UInt8[np.ndarray, "h w 3"], seen: tuple[int, int]) -> Any:  # noqa: ANN401 - of an extra
        """The map in the picture's size, (H, W). `seen`: height and width of the picture as the network saw it."""
        from torch.nn.functional import interpolate  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        size = (rgb.shape[0], rgb.shape[1])
        if self.checkpoint.model_type in ALIGNED_CORNERS:
            maps = output.predicted_depth[:, None]  # (1, 1, h, w)
            return interpolate(maps, size, mode="bilinear", align_corners=True)[0, 0]
        if not (self.checkpoint.model_type in LEFT_PADDED and self._processor.do_pad):
            return self._processor.post_process_depth_estimation(output, [size])[0]["predicted_depth"]
        height, width = self._tensors(rgb, do_pad=False)["pixel_values"].shape[-2:]
        top, left = (seen[0] - height) // 2, (seen[1] - width) // 2
        padded = self._processor.post_process_depth_estimation(output, [tuple(seen)])[0]["predicted_depth"]
        shown = padded[None, None, top : top + height, left : left + width]  # (1, 1, h, w)
        return interpolate(shown, size, mode="bicubic", align_corners=False)[0, 0]

    @cached_property
    def _device(self) -> str:
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        has_gpu = torch.cuda.is_available()
        device = self.asked_device or ("cuda" if has_gpu else "cpu")
        try:
            kind = torch.device(device).type
        except RuntimeError as error:
            raise InputError(f"--device {device!r}: expected cpu, cuda or cuda:N ({error}).") from error
        if kind == "cuda" and not has_gpu:
            raise InputError(f"--device {device!r}: torch {torch.__version__} sees no GPU here. Use --device cpu.")
        return device

    @cached_property
    def _processor(self) -> Any:  # noqa: ANN401 - any processor class
        from transformers import AutoImageProcessor  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        try:
            processor = AutoImageProcessor.from_pretrained(self.checkpoint.path, local_files_only=True, trust_remote_code=False)
        except (ImportError, OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.checkpoint.path}: its image processor cannot be loaded ({error}). Copy the processor's file of the base "
                "model into the folder."
            ) from error
        if not hasattr(processor, "post_process_depth_estimation"):
            raise InputError(
                f"{self.checkpoint.path}: its processor ({type(processor).__name__}) is none of a depth network. Copy the "
                "processor's file of the base model into the folder."
            )
        return processor

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - any model class
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        from transformers import AutoModelForDepthEstimation  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        from transformers.utils import logging  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        logging.disable_progress_bar()  # ours is on the screen
        try:
            loaded: Any = AutoModelForDepthEstimation.from_pretrained(
                self.checkpoint.path,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=self.checkpoint.safetensors,
                weights_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (ImportError, OSError, ValueError, RuntimeError, KeyError, UnpicklingError, StrictDataclassError) as error:
            raise InputError(
                f"{self.checkpoint.path}: the model cannot be loaded ({error}). Get config.json and weights that belong together."
            ) from error
        model, report = loaded
        refuse_missing(self.checkpoint, report["missing_keys"])
        return model.to(self._device).eval()
