"""The options of models that speak (`hf:`, `openai:`), declared once for every command that asks a model."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.option_groups import takes

if TYPE_CHECKING:
    from sightline.models import ModelOptions


class Dtype(enum.StrEnum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class ImageFormat(enum.StrEnum):
    png = "png"
    jpeg = "jpeg"


def model_options(  # noqa: PLR0913 - one parameter an option
    *,
    dialect: Annotated[
        str | None, typer.Option(help="How the model writes coordinates; needed where its family is unknown.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of earlier answers: what is in it is not asked again.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longer answers are cut off and counted as truncated.")] = 128,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest word each time.")] = 0.0,
    min_pixels: Annotated[int | None, typer.Option(min=1, help="Smaller pictures are enlarged for the model.")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="Larger pictures are made smaller for the model.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="hf: questions at a time.")] = None,
    dtype: Annotated[Dtype, typer.Option(help="hf: number type of the weights.")] = Dtype.auto,
    device: Annotated[str | None, typer.Option(help="hf: a torch device, or auto to spread the model.")] = None,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="hf: run code out of the folder.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="openai: requests at a time.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.001, help="openai: seconds for one request.")] = 120.0,
    retries: Annotated[int, typer.Option(min=0, help="openai: repetitions of a request that failed.")] = 6,
    budget: Annotated[float, typer.Option(min=0.001, help="openai: seconds for one question, waits and all.")] = 600.0,
    max_side: Annotated[int, typer.Option(min=1, help="openai: longer side, in pixels, of pictures as they are sent.")] = 1536,
    image_format: Annotated[ImageFormat, typer.Option(help="openai: how pictures are sent; jpeg is lossy.")] = ImageFormat.png,
    api_key_env: Annotated[
        str | None, typer.Option(help="openai: environment variable with the key, if not OPENAI_API_KEY.")
    ] = None,
    prompt_price: Annotated[float, typer.Option(min=0.0, help="openai: price of a million prompt tokens.")] = 0.0,
    answer_price: Annotated[float, typer.Option(min=0.0, help="openai: price of a million answer tokens.")] = 0.0,
) -> "ModelOptions":
    """What was given on the command line."""
    from sightline.models import ModelOptions  # noqa: PLC0415

    return ModelOptions(
        dialect=dialect,
        cache=None if cache is None else str(cache),
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
        batch_size=batch_size,
        dtype=dtype.value,
        device=device,
        trust_remote_code=trust_remote_code,
        concurrency=concurrency,
        timeout_s=timeout,
        retries=retries,
        budget_s=budget,
        max_side=max_side,
        image_format=image_format.value,
        api_key_env=api_key_env,
        prompt_price=prompt_price,
        answer_price=answer_price,
    )


takes_model_options = takes("options", model_options)
"""The command gets the options together, as its parameter `options`."""
