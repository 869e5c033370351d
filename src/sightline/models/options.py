"""What a user may declare of a model that speaks: stored with the run, never guessed."""

from typing import Literal

from sightline.types import Record


class ModelOptions(Record):
    """Options of `hf:` and `openai:` models; None takes the model family's declared default.

    `dialect`: how coordinates are written; needed for a family that is not known. `min_pixels`, `max_pixels`: limits on the size of
    each picture as the model sees it. `max_new_tokens`: longer answers are cut and read as truncated. `temperature` 0 is greedy.
    `device` is a torch device or "auto" (spread by accelerate). `concurrency`, `timeout_s`, `max_side` and `retries` concern servers.
    `cache`: a folder of answers that were given before, None for none.
    """

    dialect: str | None = None
    batch_size: int | None = None
    max_new_tokens: int = 128
    temperature: float = 0.0
    min_pixels: int | None = None
    max_pixels: int | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str | None = None
    trust_remote_code: bool = False
    concurrency: int = 8
    timeout_s: float = 120.0
    max_side: int = 1536
    retries: int = 6
    cache: str | None = None
