"""A tiny Sa2VA behind the service: masks as it draws them, frames read once for all expressions, and its page."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from safetensors.torch import load_file  # noqa: E402

from sightline.geometry.masks import rle_area  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.models.sa2va.modes import MODES  # noqa: E402
from sightline.models.sa2va.segment import asking, segment  # noqa: E402
from tests.models.sa2va.conftest import folders, golden  # noqa: E402, F401 - fixtures
from tests.models.sa2va.frames import Pictures  # noqa: E402
from tests.report.chromium import browser  # noqa: E402, F401 - a fixture
from tests.serve.served import sent, served  # noqa: E402
from tests.serve.test_page import Served  # noqa: E402

WORDS = ["the boat", "the man", "which one is red?"]


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Any:  # noqa: F811
    return get_model(f"sa2va:{folders['internvl']}", ModelOptions(max_new_tokens=12, device="cpu", name="tiny"))


@pytest.fixture(scope="module")
def frames(golden: Path) -> list[np.ndarray]:  # noqa: F811
    return list(load_file(golden / "end_to_end" / "video_eight_frames.safetensors")["frames_uint8"].numpy())


def test_the_answers_are_those_of_the_model_and_share_their_frames(model: Any, frames: list[np.ndarray]) -> None:
    found = segment(model.network, Pictures(frames), [asking(words) for words in WORDS], MODES["official"], max_new_tokens=12)
    nothing = (None,) * len(frames)
    expected = [[rle if rle_area(rle) else None for rle in each.tracks[0]] if each.tracks else [*nothing] for each in found]
    assert any(map(any, expected))
    with served(model) as service:
        service.service.warm_up()
        seen: list[int] = []
        handle = model.network.grounding.clip.model.vision_encoder.register_forward_hook(
            lambda _module, args, _output: seen.append(len(args[0]))
        )
        told = service.post({"images": [sent(rgb) for rgb in frames], "expressions": WORDS}, "/v1/segment").json
        handle.remove()
    assert told["batch_size"] == len(WORDS)
    assert sum(seen) == len(frames)  # each is encoded once for all expressions
    for answer, heard, masks in zip(told["answers"], found, expected, strict=True):
        assert answer["raw"] == heard.heard.text
        assert answer["masks"] == [mask and {"size": [mask.height, mask.width], "counts": mask.counts} for mask in masks]


def test_where_a_point_is_asked_it_says_that_it_gives_masks(model: Any, frames: list[np.ndarray]) -> None:
    with served(model) as service:
        answer = service.post({"images": [sent(frames[0])], "question": "Where is it?"})
    assert answer.status == 422
    assert "Sa2VA gives masks" in answer.error["message"]


def test_its_page_shows_what_it_draws(model: Any, frames: list[np.ndarray], browser, tmp_path: Path) -> None:  # noqa: F811
    paths = [tmp_path / f"{number}.png" for number in range(len(frames))]
    for rgb, path in zip(frames, paths, strict=True):
        Image.fromarray(rgb).save(path)
    (found,) = segment(model.network, Pictures(frames), [asking("the boat")], MODES["official"], max_new_tokens=12)
    with served(model) as service:
        page = Served(browser, service.port)
        page.choose(*paths)
        page.load()
        page.ask("the boat")
        assert page.texts("#answers .said")[0].replace("[SEG]1", "[SEG]") == found.heard.text
        assert len(page.outlines()) == 1
        assert page.complaints() == []
