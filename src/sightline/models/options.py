"""What a user may declare of a model that speaks: stored with the run, never guessed."""

import re
from typing import Literal

from sightline.dialects import DIALECTS, Dialect, get_dialect
from sightline.errors import InputError
from sightline.types import Record


class ModelOptions(Record):
    """Options of `hf:` and `openai:` models; None takes the model family's declared default.

    `dialect`: how coordinates are written; needed for a family that is not known. `min_pixels`, `max_pixels`: limits on the size of
    each picture as the model sees it. `max_new_tokens`: longer answers are cut and read as truncated. `temperature` 0 is greedy.
    `device` is a torch device or "auto" (spread by accelerate).
    `concurrency` (requests at once), `timeout_s` (of one request), `retries`, `budget_s` (for one question, all its requests and
    waits together), `max_side` and `image_format` (of pictures as sent), `api_key_env` (the environment variable with the key) and
    the prices (of a million tokens, in any one unit) concern servers.
    `cache`: a folder of answers that were given before, None for none.
    `name`: what the model is called in tables and folders, None for its own name.
    """

    name: str | None = None
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
    budget_s: float = 600.0
    image_format: Literal["png", "jpeg"] = "png"
    api_key_env: str | None = None
    prompt_price: float = 0.0
    answer_price: float = 0.0


def split_name(spec: str) -> tuple[str | None, str]:
    """`NAME=PREFIX:REST` as name and the rest; no name where a spec begins with its prefix.

    Raises:
        InputError: a name that is no name of a folder.
    """
    name, equals, rest = spec.partition("=")
    if not equals or ":" in name or ":" not in rest:
        return None, spec
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise InputError(f"model {spec!r}: the name {name!r} may hold letters, digits, '_', '.', '+' and '-', and names a folder.")
    return name, rest


def served_dialect(options: ModelOptions, model: str) -> Dialect:
    """The dialect that a user declares for a model of which no more than a name is known.

    For `qwen25` the pixel limits are those of the server's image processor: they say what its numbers mean, and are not sent.

    Raises:
        InputError: none declared, an unknown one, or pixel limits for a dialect that they do not concern.
    """
    if options.dialect is None:
        raise InputError(
            f"model {model!r}: it is not known how it writes coordinates, and that is never guessed. Declare it with --dialect: "
            f"{', '.join(DIALECTS)}."
        )
    limits = {"min_pixels": options.min_pixels, "max_pixels": options.max_pixels}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        return get_dialect(options.dialect)
    if options.dialect != "qwen25":
        raise InputError(
            f"model {model!r}: --min-pixels and --max-pixels tell only the dialect qwen25 what a server's numbers mean, and this "
            f"one is {options.dialect!r}. Set them where the server is started; --max-side limits the pictures that are sent."
        )
    from sightline.dialects.qwen25 import qwen25  # noqa: PLC0415 - see the style rules on look-up tables

    return qwen25(**given)
