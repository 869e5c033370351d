"""Answers of a batch: greedy, without a penalty, each equal to what its question gets alone.

Rows are padded on the left, so that all prompts end together. The settings in a checkpoint's generation_config.json (sampling, a
repetition penalty) are not used, as in the original.
"""

import torch

from sightline.models.roborefer.inputs import RoboReferBatch
from sightline.models.roborefer.modeling import RoboReferForConditionalGeneration


def greedy(model: RoboReferForConditionalGeneration, batch: RoboReferBatch, *, max_new_tokens: int) -> list[list[int]]:
    """The new token ids of each row; the last one is the end token, unless `max_new_tokens` ended it.

    Args:
        batch: padded on the left, of samples that end with a question.
    """
    length = batch.tensors["input_ids"].shape[1]
    with torch.inference_mode():
        tokens = model.generate(**batch.tensors, max_new_tokens=max_new_tokens)  # (B, length + new)
    end: int = model.generation_config.eos_token_id  # pyright: ignore[reportOptionalMemberAccess, reportAssignmentType]
    return [_until(row, end) for row in tokens[:, length:].tolist()]


def _until(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens
