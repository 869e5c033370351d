"""Questions to tensors: the checkpoint's own processor and chat template, one media slot a picture, in the order of the prompt.

Nothing is cut off and nothing is fetched: a prompt that is too long is an error, and pictures come from the task set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from sightline.dialects import Dialect, Size
from sightline.dialects.qwen25 import qwen25
from sightline.dialects.render import render_prompt
from sightline.errors import InputError
from sightline.models.checkpoint import Checkpoint
from sightline.models.huggingface.families import PLAIN_PROMPT, family_dialect
from sightline.models.options import ModelOptions
from sightline.taskset.store import TaskSet
from sightline.types import Exposure, ImagePart, Question

SMART_RESIZE = "Qwen2VLImageProcessor"
"""The image processors whose class begins so (also ...Fast, ...Pil) resize by `geometry.resize.smart_resize`."""


@dataclass(frozen=True)
class Batch:
    """`tensors`: what the processor made, by name; rows of one length, padded on the left. `exposures`: one a question."""

    tensors: Any
    exposures: tuple[Exposure, ...]


class Inputs:
    """The processor of a checkpoint, with the pixel limits that were asked for.

    `limits` are the (min_pixels, max_pixels) by which pictures are resized; None for a processor that does not go by them.

    Raises:
        InputError: the processor cannot be loaded, has no chat template, or knows no such limits; or an unknown family.
    """

    def __init__(self, checkpoint: Checkpoint, options: ModelOptions, *, config: Any) -> None:  # noqa: ANN401 - transformers'
        self.checkpoint = checkpoint
        self.processor = _load(checkpoint, trust_remote_code=options.trust_remote_code)
        self.limits = _set_limits(self.processor.image_processor, options, where=checkpoint)
        self.dialect = self._dialect(options)
        self.image_token_id = getattr(config, "image_token_id", None)
        if self.processor.chat_template is None and checkpoint.model_type not in PLAIN_PROMPT:
            raise InputError(
                f"{checkpoint.path}: the checkpoint has no chat template, so it is not known how to put a question to it. It may "
                "be a base model: use its instruction-tuned version, or put its template into chat_template.jinja."
            )
        tokenizer = self.processor.tokenizer
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token

    def batch(self, questions: Sequence[Question], taskset: TaskSet, *, room: int | None) -> Batch:
        """The questions as one batch. `room`: the largest number of tokens a prompt may have; None for any.

        Raises:
            InputError: a prompt is too long, or the chat template does not give every picture its slot.
        """
        prompts = [self._prompt(question) for question in questions]
        texts = [text for text, _ in prompts]
        pictures = [
            [Image.fromarray(taskset.read_rgb(question.images[index])) for index in shown]
            for question, (_, shown) in zip(questions, prompts, strict=True)
        ]
        start = self.processor.tokenizer.bos_token
        tensors = self.processor(
            text=texts,
            images=pictures,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            # a template that writes the start token itself must not get a second one
            add_special_tokens=not (start and all(text.startswith(start) for text in texts)),
        )
        tensors.pop("labels", None)  # PaliGemma's makes some for training
        exposures = self._exposures(tensors, [len(shown) for shown in pictures])
        for question, exposure in zip(questions, exposures, strict=True):
            if room is not None and exposure.num_prompt_tokens is not None and exposure.num_prompt_tokens > room:
                raise InputError(
                    f"example {question.id!r}: a prompt of {exposure.num_prompt_tokens:,} tokens, {exposure.num_image_tokens} of "
                    f"them of pictures; this model has room for {room:,} before its answer. Lower --max-pixels or --max-new-tokens."
                )
        return Batch(tensors, exposures)

    def _prompt(self, question: Question) -> tuple[str, tuple[int, ...]]:
        """The text with its media slots, and which pictures of the question stand in them."""
        sizes = [Size.of(image) for image in question.images]
        segments = render_prompt(question.prompt, self.dialect, sizes)
        shown = tuple(segment.image_index for segment in segments if isinstance(segment, ImagePart))
        slot = self.processor.image_token
        for segment in segments:
            if isinstance(segment, str) and slot in segment:
                raise InputError(f"example {question.id!r}: its words hold {slot!r}, this model's media slot. Change the wording.")
        if self.processor.chat_template is None:
            words = "".join(segment for segment in segments if isinstance(segment, str))
            return slot * len(shown) + words.strip(), shown
        content = [{"type": "text", "text": segment} if isinstance(segment, str) else {"type": "image"} for segment in segments]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        if text.count(slot) != len(shown):
            raise InputError(
                f"{self.checkpoint.path}: its chat template gave {text.count(slot)} media slots ({slot}) to the {len(shown)} "
                f"pictures of example {question.id!r}. It may take only one picture: use tasks with a single one (t1_concat)."
            )
        return text, shown

    def _exposures(self, tensors: Any, counts: Sequence[int]) -> tuple[Exposure, ...]:  # noqa: ANN401 - transformers'
        sizes = self._processed_sizes(tensors, sum(counts))
        ends = np.cumsum([0, *counts])
        prompt_tokens = tensors["attention_mask"].sum(dim=1).tolist()
        image_tokens = (tensors["input_ids"] == self.image_token_id).sum(dim=1).tolist() if self.image_token_id is not None else []
        return tuple(
            Exposure(
                processed_sizes=sizes[ends[row] : ends[row + 1]],
                num_image_tokens=image_tokens[row] if image_tokens else None,
                num_prompt_tokens=prompt_tokens[row],
            )
            for row in range(len(counts))
        )

    def _processed_sizes(self, tensors: Any, num_pictures: int) -> tuple[tuple[int, int], ...]:  # noqa: ANN401
        """(width, height) of every picture as the model sees it; () where a picture is cut into several tiles."""
        if "image_grid_thw" in tensors:
            side = self.processor.image_processor.patch_size
            return tuple((columns * side, rows * side) for _, rows, columns in tensors["image_grid_thw"].tolist())
        shape = tensors["pixel_values"].shape if "pixel_values" in tensors else ()
        return ((shape[3], shape[2]),) * num_pictures if len(shape) == 4 and shape[0] == num_pictures else ()

    def _dialect(self, options: ModelOptions) -> Dialect:
        """The declared dialect; `qwen25` with the limits of this very processor, because they say what its numbers mean."""
        dialect = family_dialect(self.checkpoint.model_type, options.dialect, where=str(self.checkpoint.path))
        if dialect.name != "qwen25":
            return dialect
        if self.limits is None:
            raise InputError(
                f"{self.checkpoint.path}: the dialect qwen25 writes pixels of the picture as Qwen2.5-VL resizes it, and this "
                f"checkpoint's {type(self.processor.image_processor).__name__} does not resize so. Declare another dialect."
            )
        image_processor = self.processor.image_processor
        factor = image_processor.patch_size * image_processor.merge_size
        return qwen25(factor=factor, min_pixels=self.limits[0], max_pixels=self.limits[1])


def _load(checkpoint: Checkpoint, *, trust_remote_code: bool) -> Any:  # noqa: ANN401 - any processor class
    from transformers import AutoProcessor  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    try:
        processor = AutoProcessor.from_pretrained(checkpoint.path, local_files_only=True, trust_remote_code=trust_remote_code)
    except ImportError as error:
        raise InputError(f"{checkpoint.path}: its processor needs a package that is not installed: {error}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{checkpoint.path}: its processor cannot be loaded ({error}). Copy the processor's and the tokenizer's files of the "
            "base model into the folder."
        ) from error
    if not hasattr(processor, "image_processor") or not isinstance(getattr(processor, "image_token", None), str):
        raise InputError(
            f"{checkpoint.path}: its processor ({type(processor).__name__}) takes no pictures. Expected a vision-language model "
            "that transformers loads as AutoModelForImageTextToText."
        )
    return processor


def _set_limits(image_processor: Any, options: ModelOptions, *, where: Checkpoint) -> tuple[int, int] | None:  # noqa: ANN401
    """Apply the limits of the options to the image processor; returns those that hold, (min_pixels, max_pixels)."""
    name = type(image_processor).__name__
    if not name.startswith(SMART_RESIZE):
        if options.min_pixels is not None or options.max_pixels is not None:
            raise InputError(
                f"{where.path}: its {name} resizes every picture to a size of its own; --min-pixels and --max-pixels mean nothing "
                "to it. Leave them out."
            )
        return None
    size = image_processor.size
    least = size["shortest_edge"] if options.min_pixels is None else options.min_pixels
    most = size["longest_edge"] if options.max_pixels is None else options.max_pixels
    factor = image_processor.patch_size * image_processor.merge_size
    if not (0 < least <= most and most >= factor**2):
        raise InputError(
            f"{where.path}: pictures of at least {least:,} and at most {most:,} pixels; expected 0 < min_pixels <= max_pixels, and "
            f"max_pixels of at least {factor**2:,}, one token. Change --min-pixels or --max-pixels."
        )
    image_processor.size = {"shortest_edge": least, "longest_edge": most}
    return least, most
