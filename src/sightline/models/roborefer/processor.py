"""RoboRefer's preprocessing with the face of a processor of transformers, which training goes by: words in the form `consistent`.

A picture has one placeholder in the rendered words, which stands for all its tiles. What takes its place are the tokens of every
tile, as `inputs` makes them of the whole text: of a tile its media tokens and a newline embedding, between tiles the newline of the
text. Depth follows right behind its picture, with the space that the form puts before it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from sightline.errors import InputError
from sightline.models.roborefer.configuration import RoboReferConfig
from sightline.models.roborefer.inputs import RoboReferInputs
from sightline.models.roborefer.text_forms import TOKENS, Kind, Placeholders, Slot, Turn, contents, worded

MAX_SIZES = 2**16


class RoboReferProcessor:
    """Pictures and words of one checkpoint; without depth.

    Raises:
        InputError: an image mode of several scales, which has tokens that no rule of tiles gives.
    """

    def __init__(self, config: RoboReferConfig, tokenizer: Any) -> None:  # noqa: ANN401 - transformers'
        self.tokenizer = tokenizer
        self.inputs = RoboReferInputs(config, tokenizer)
        self.image_token = TOKENS["image"]
        if self.inputs.tiling.mode == "dynamic_s2":
            raise InputError(
                "training in image mode dynamic_s2 is not offered: its pictures' tokens come of several scales at once. Start from "
                "a 2B checkpoint, whose mode is dynamic."
            )
        self.picture_tokens = lru_cache(maxsize=MAX_SIZES)(self._picture_tokens)

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's."""
        return self.tokenizer.chat_template

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], *, tokenize: bool, add_generation_prompt: bool) -> str:
        """The conversation in words, one placeholder a picture, all of them in front.

        Raises:
            InputError: a system turn after which nothing is asked, or words that hold a token of the template or a placeholder.
        """
        assert not tokenize, "the words are asked for"
        told = [message for message in messages if message["role"] != "system"]
        system = [{"role": "system", "content": _words(message["content"])} for message in messages if message["role"] == "system"]
        turns, num_pictures = [], 0
        for message in told:
            parts: list[str | int] = []
            for part in message["content"]:
                if part["type"] == "image":
                    parts.append(num_pictures)
                    num_pictures += 1
                else:
                    parts.append(part["text"])
            turns.append(Turn("user" if message["role"] == "user" else "assistant", (worded(parts),)))
        if turns:
            slots = tuple(Slot("image") for _ in range(num_pictures))
            turns[0] = Turn(turns[0].role, (*slots, *turns[0].parts))
        mode = self.inputs.tiling.mode
        placeholders = Placeholders(image=(1,) * num_pictures)
        texts = contents(turns, placeholders, mode=mode, form="consistent", where="RoboRefer")
        said = [{"role": turn.role, "content": text} for turn, text in zip(turns, texts, strict=True)]
        return self.tokenizer.apply_chat_template([*system, *said], tokenize=False, add_generation_prompt=add_generation_prompt)

    def __call__(self, *, text: Sequence[str], images: Sequence[Any], **_: Any) -> dict[str, Tensor]:  # noqa: ANN401
        """One picture by Pillow as its tokens (1, n) and its tiles (tiles, 3, S, S). `text` is its placeholder alone."""
        (image,) = images
        assert list(text) == [self.image_token], "one picture at a time"
        pixels = self.inputs.tiling.cut(np.asarray(image.convert("RGB")))
        tokens = self.picture_tokens(image.width, image.height)
        return {"input_ids": torch.from_numpy(tokens.copy())[None], "pixel_values": torch.from_numpy(pixels)}

    def _picture_tokens(self, width: int, height: int) -> Int64[np.ndarray, " n"]:
        """What takes the place of the placeholder of a picture of this size."""
        tiles = self.inputs.tiling.num_tiles(width, height)
        return self._expanded("image", "\n".join([TOKENS["image"]] * tiles))

    def _expanded(self, kind: Kind, words: str) -> Int64[np.ndarray, " n"]:
        ids = np.asarray(self.tokenizer(words, add_special_tokens=False)["input_ids"], np.int64)
        found = self.inputs.expanded(kind, ids)
        found.flags.writeable = False
        return found


class RoboReferDepthProcessor(RoboReferProcessor):
    """With depth (`train.vlm.depth.TakesDepth`).

    Raises:
        InputError: the checkpoint takes no depth.
    """

    depth_form: Literal["inverse_u8x3"] = "inverse_u8x3"

    def __init__(self, config: RoboReferConfig, tokenizer: Any) -> None:  # noqa: ANN401
        super().__init__(config, tokenizer)
        if config.depth_projector_type is None:
            raise InputError("data.with_depth=true, but this RoboRefer has no depth projector, so it takes no depth. Leave it out.")
        self.depth_tokens = lru_cache(maxsize=MAX_SIZES)(self._depth_tokens)

    def depth_values(self, depth: Shaped[np.ndarray, "h w 3"]) -> Tensor:
        """(tiles, 3, S, S)."""
        return torch.from_numpy(self.inputs.tiling.cut(np.asarray(depth, np.uint8)))

    def _depth_tokens(self, width: int, height: int) -> Int64[np.ndarray, " n"]:
        """What depth adds right behind the tokens of its picture."""
        tiles = self.inputs.tiling.num_tiles(width, height)
        before = "\n " if self.inputs.tiling.mode == "dynamic" else " "
        return self._expanded("depth", before + "\n".join([TOKENS["depth"]] * tiles))


def _words(content: Sequence[Mapping[str, Any]]) -> str:
    return "".join(part["text"] for part in content).strip()
