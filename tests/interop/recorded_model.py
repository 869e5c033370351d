"""lmms-eval with two more models, which answer recorded texts and look at what they are shown.

    python -m tests.interop.recorded_model --model recorded --model_args asked=ASKED.json --tasks ... (all as lmms_eval)

ASKED.json has a list by task, in the order of its documents: {"text": "...", "words": "...", "pictures": ["5e0c...", ...]}: what to
answer, and the words and the pixel digests that a model has to be given. With `--force_simple`, lmms-eval gives words and
pictures apart.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lmms_eval.api.model import lmms  # pyright: ignore[reportMissingImports] - in an environment of its own
from lmms_eval.cli.dispatch import main  # pyright: ignore[reportMissingImports]
from lmms_eval.models import MODEL_REGISTRY_V2  # pyright: ignore[reportMissingImports]
from lmms_eval.models.registry_v2 import ModelManifest  # pyright: ignore[reportMissingImports]
from lmms_eval.protocol import ChatMessages  # pyright: ignore[reportMissingImports]

from sightline.export.lmms_eval import MAX_NEW_TOKENS
from sightline.media import pixel_digest


class Recorded(lmms):
    """What both have in common."""

    def __init__(self, asked: str, batch_size: int = 1, device: str = "cpu", **_: Any) -> None:
        super().__init__()
        self.batch_size, self.device = batch_size, device
        self._asked = json.loads(Path(asked).read_text())

    def generate_until(self, requests: list[Any]) -> list[str]:
        return [self._answer(*request.args) for request in requests]

    def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
        raise NotImplementedError

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        raise NotImplementedError

    def _answer(self, *asked: Any) -> str:
        raise NotImplementedError

    def _checked(self, task: str, number: int, words: str, pictures: list[Any]) -> str:
        expected = self._asked[task][number]
        digests = [pixel_digest(np.asarray(picture.convert("RGB"))) for picture in pictures]
        if digests != expected["pictures"] or words != expected["words"]:
            raise AssertionError(f"{task}, document {number}: shown {digests} and {words!r}, expected {expected}")
        return expected["text"]


class RecordedSimple(Recorded):
    """Words and pictures apart."""

    is_simple = True

    def _answer(self, *asked: Any) -> str:
        words, settings, visuals, number, task, split = asked
        assert settings["max_new_tokens"] == MAX_NEW_TOKENS
        return self._checked(task, number, words, visuals(self.task_dict[task][split][number]))


class RecordedChat(Recorded):
    """One user turn, in which every picture has its place; in `words` that is its number."""

    is_simple = False

    def _answer(self, *asked: Any) -> str:
        _, messages, settings, number, task, split = asked
        assert settings["max_new_tokens"] == MAX_NEW_TOKENS
        (message,) = ChatMessages(messages=messages(self.task_dict[task][split][number])).messages
        pictures = [part.url for part in message.content if part.type == "image"]
        return self._checked(task, number, "".join(_named(message.content)).strip(), pictures)


def _named(content: list[Any]) -> Iterator[str]:
    several, shown = sum(part.type == "image" for part in content) > 1, 0
    for part in content:
        shown += part.type == "image"
        yield part.text if part.type == "text" else f"image {shown}" if several else ""


if __name__ == "__main__":
    here = "tests.interop.recorded_model"
    MODEL_REGISTRY_V2.register_manifest(ModelManifest("recorded", f"{here}.RecordedSimple", f"{here}.RecordedChat"))
    main()
