"""`POST /query`, the form of RoboRefer's own server, so that robots that speak it need not be changed.

    {"image_url": ["<base64>"], "depth_url": ["<base64>"], "enable_depth": 1, "text": "Please point out the mug."}
    {"result": 1, "answer": "[(0.512, 0.334)]"}

The words go to the model as they are, and what it says comes back as it is: shares of the picture. Depth pictures are near bright,
8 bits, one channel or three equal ones; with `enable_depth` and no depth picture at all they are made here, as the original does,
if the service was given a depth network. Unlike the original this limits what is sent, refuses depth that is the same everywhere,
answers several at once, leaves no files behind, and says with a status why something failed. `result` 1 is always an answer.
Source: Zhoues/RoboRefer, API.
"""

import hashlib
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import UInt8

from sightline.errors import InputError
from sightline.serve.pictures import ROOT, PictureReader, Posed, Shown
from sightline.serve.posted import MAX_QUESTION, Limits, read_json
from sightline.serve.refusal import wrong
from sightline.types import AnswerForm, DepthRef, ImagePart, Panel, Question

MakesDepth = Callable[[UInt8[np.ndarray, "_ _ 3"]], UInt8[np.ndarray, "_ _ 3"]]
"""From a picture to its depth picture; raises InputError where there is none."""
DEPTH = "Send a depth picture of 8 bits that is near bright (relative depth, min-max), as large as its picture, or enable_depth 0."


class Query(msgspec.Struct, frozen=True):
    """What was sent; other fields are passed over, as the original does."""

    image_url: list[str]
    text: str
    depth_url: list[str] = []
    enable_depth: bool | Literal[0, 1] = 0


def read_query(body: bytes, limits: Limits, *, makes_depth: MakesDepth | None = None) -> Posed:
    """The question that the body asks. Equal bodies have equal ids.

    Args:
        makes_depth: makes the depth of pictures that are sent without any; None: they are refused.

    Raises:
        Refusal: 400, 413 or 422; whatever is wrong with the body.
    """
    query = read_json(body, Query)
    _check(query, limits, makes_depth=makes_depth is not None)
    reader = PictureReader(limits.max_pixels)
    pictures = [reader.shown(text, f"image_url[{index}]") for index, text in enumerate(query.image_url)]
    depths: dict[DepthRef, UInt8[np.ndarray, "_ _ 3"]] = {}
    panels: list[Panel] = []
    for index, shown in enumerate(pictures):
        ref = None
        if query.enable_depth:
            if query.depth_url:
                ref, depth = _depth(query.depth_url[index], shown, reader, name=f"depth_url[{index}]")
            else:
                assert makes_depth is not None, "_check refuses it"
                ref, depth = _made(shown, makes_depth, name=f"image_url[{index}]")
            depths[ref] = depth
        panels.append(Panel(role="query", image_index=index, source=shown.image, depth=ref))
    slots = [ImagePart(image_index=index) for index in range(len(pictures))]
    question = Question(
        id=f"query/{hashlib.blake2b(body, digest_size=16).hexdigest()}",
        task="served",
        prompt=(*slots, AnswerForm(shape="text", image_index=0, words=query.text)),
        images=tuple(shown.image for shown in pictures),
        panels=tuple(panels),
    )
    return Posed(question=question, rgb={shown.image.digest: shown.rgb for shown in pictures}, depth_pictures=depths)


def _check(query: Query, limits: Limits, *, makes_depth: bool) -> None:
    num_images = len(query.image_url)
    if not 1 <= num_images <= limits.max_images:
        message = f"{num_images} pictures; expected 1 to {limits.max_images}"
        raise wrong(message, where="image_url", remedy="Send the pictures that the text is about.")
    made = makes_depth and not query.depth_url
    if query.enable_depth and len(query.depth_url) != num_images and not made:
        message = f"{len(query.depth_url)} depth pictures for {num_images} pictures"
        remedy = "Send one for each picture in the same order, or enable_depth 0; or start the service with --depth-model FOLDER."
        raise wrong(message, where="depth_url", remedy=remedy)
    if not query.text.strip() or len(query.text) > MAX_QUESTION:
        message = f"a text of {len(query.text):,} characters; expected words, at most {MAX_QUESTION:,}"
        raise wrong(message, where="text", remedy='Ask something, e.g. "Please point out the mug."')


def _depth(text: str, shown: Shown, reader: PictureReader, *, name: str) -> tuple[DepthRef, UInt8[np.ndarray, "h w 3"]]:
    depth = reader.rgb(text, name)
    if depth.shape != shown.rgb.shape:
        message = f"depth of {depth.shape[1]} x {depth.shape[0]} pixels for a picture of {shown.image.width} x {shown.image.height}"
        raise wrong(message, where=name, remedy=DEPTH)
    if (depth != depth[:, :, :1]).any():
        raise wrong("a picture in colours is no depth: its three channels differ", where=name, remedy=DEPTH)
    if depth.min() == depth.max():
        raise wrong(f"depth is {depth.min()} everywhere, which says nothing", where=name, remedy=DEPTH)
    return _named(depth), depth


def _made(shown: Shown, makes_depth: MakesDepth, *, name: str) -> tuple[DepthRef, UInt8[np.ndarray, "h w 3"]]:
    try:
        depth = makes_depth(shown.rgb)
    except InputError as error:
        raise wrong(f"its depth cannot be made: {error}", where=name, remedy=DEPTH) from error
    return _named(depth), depth


def _named(depth: UInt8[np.ndarray, "h w 3"]) -> DepthRef:
    digest = hashlib.blake2b(depth.tobytes(), digest_size=16).hexdigest()
    return DepthRef(root=ROOT, path=f"near/{digest}", metres_per_unit=1.0)
