"""Samples become tensors, and nothing is cut off."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.models.roborefer.inputs import Picture, RoboReferInputs, asked_in_front  # noqa: E402
from tests.models.roborefer import tiny  # noqa: E402


def inputs(*, max_length: int | None = None, **said: Any) -> RoboReferInputs:
    return RoboReferInputs(tiny.config(**said), tiny.tokenizer(), max_length=max_length)


def counted(made: RoboReferInputs, ids: np.ndarray) -> tuple[int, int]:
    return int((ids == made.config.image_token_id).sum()), int((ids == made.config.depth_token_id).sum())


@pytest.mark.parametrize(("projector", "tokens"), [("mlp_downsample", 4), ("mlp_downsample_3x3_fix", 4)])
def test_a_tile_is_its_tokens_and_a_newline(projector: str, tokens: int) -> None:
    made = inputs(mode="resize", projector=projector)
    prepared = made.prepare(tiny.asked("a", "Where?", tiny.picture(40, 30)))
    places = np.flatnonzero(prepared.ids == made.config.image_token_id)
    assert places.size == tokens  # 4 x 4 patches: 2 x 2 blocks, of 2 or (with zeros) of 3
    assert (np.diff(places) == 1).all()
    # the newline of the tile, then that of the text
    assert prepared.ids[places[-1] + 1 : places[-1] + 3].tolist() == [made.config.newline_token_id] * 2
    assert prepared.num_media == tokens + 1


def test_media_are_never_written() -> None:
    made = inputs()
    batch = made.batch([tiny.asked("a", "Where?", tiny.picture(60, 30, depth=True), answer="here")])
    media = torch.isin(batch.tensors["input_ids"], torch.tensor([made.config.image_token_id, made.config.depth_token_id]))
    assert media.sum() == 2 * 3 * 4  # pictures and depth, 2 tiles and a thumbnail
    assert (batch.tensors["labels"][media] == -100).all()
    assert made.tokenizer.decode(batch.tensors["labels"][batch.tensors["labels"] != -100]) == "here<|im_end|>"


def test_rows_are_padded_on_the_side_that_is_asked_for() -> None:
    made, samples = inputs(), [tiny.asked("a", "Where?"), tiny.asked("b", "Where is it?")]
    right, left = made.batch(samples).tensors, made.batch(samples, padding="left").tensors
    assert right["attention_mask"][0].tolist() == left["attention_mask"][0].tolist()[::-1]
    assert right["attention_mask"].sum(dim=1).tolist() == [each.ids.size for each in made.batch(samples).prepared]
    assert (right["input_ids"][0, -6:] == made.tokenizer.pad_token_id).all()  # "is it " is 6 bytes
    assert "labels" not in right


def test_a_picture_of_one_key_is_cut_once() -> None:
    made, shared, other = inputs(), tiny.picture(60, 30, depth=True, key="one"), tiny.picture(20, 20, seed=1, key="two")
    batch = made.batch([tiny.asked("a", "Where?", shared, other), tiny.asked("b", "And?", other, shared)])
    assert len(batch.tensors["pixel_values"]) == 3 + 1
    assert batch.tensors["pixel_uses"].tolist() == [0, 1, 2, 3, 3, 0, 1, 2]
    assert batch.tensors["depth_uses"].tolist() == [0, 1, 2, 0, 1, 2]


def test_several_scales_have_one_placeholder_a_picture() -> None:
    made = inputs(mode="dynamic_s2", projector="mlp_downsample")
    batch = made.batch([tiny.asked("a", "Where?", tiny.picture(128, 48), tiny.picture(30, 30, seed=1))])
    (prepared,) = batch.prepared
    # 5 x 2 and 3 x 3 squares of 4 tokens, a newline each
    assert counted(made, prepared.ids) == (10 * 4 + 9 * 4, 0)
    assert (prepared.num_media, batch.tensors["pixel_grids"].tolist()) == (41 + 37, [[2, 5], [3, 3]])
    assert len(batch.tensors["pixel_values"]) == (1 + 4 + 10) + (1 + 4 + 9)


def test_a_sample_that_is_too_long_is_refused_with_its_numbers() -> None:
    made = inputs(max_length=100)
    with pytest.raises(InputError, match=r"sample 'a': 1\d\d tokens, 15 of them of pictures and depth; there is room for 100"):
        made.prepare(tiny.asked("a", "Where? " * 5, tiny.picture(60, 30)))
    with pytest.raises(InputError, match="room for 20"):
        inputs().prepare(tiny.asked("a", "Where?"), room=20)


def test_depth_for_a_model_without_is_refused() -> None:
    with pytest.raises(InputError, match="no depth projector"):
        inputs(depth=False).prepare(tiny.asked("a", "Where?", tiny.picture(30, 30, depth=True)))


def test_grey_depth_is_refused_with_the_picture() -> None:
    shown = tiny.picture(30, 30).rgb
    with pytest.raises(InputError, match="sample 'a', picture 2: depth of shape"):
        inputs().prepare(tiny.asked("a", "Where?", Picture(shown), Picture(shown, shown[:, :, 0])))


def test_a_question_stands_behind_its_pictures() -> None:
    pictures = [tiny.picture(30, 30, depth=True), tiny.picture(30, 30)]
    assert asked_in_front("Where?", pictures) == tiny.asked("a", "Where?", *pictures).turns
