"""Samples of one beginning in a pack: the beginning once, everything else as apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.models.architectures import TrainingView, open_for_training  # noqa: E402
from sightline.models.options import ModelOptions  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.collate import Collator, beginning_of  # noqa: E402
from sightline.train.vlm.loss import hidden_states  # noqa: E402
from sightline.train.vlm.pack import Isolation  # noqa: E402
from sightline.train.vlm.parts import Part, set_parts  # noqa: E402
from sightline.train.vlm.prefix import check_sharing, pack_shared, row_tokens  # noqa: E402
from sightline.train.vlm.samples import Sample  # noqa: E402
from tests.train.vlm.packs import Tiny, picture, tiny, whole, worst  # noqa: E402
from tests.train.vlm.packs import sample as picture_sample  # noqa: E402
from tests.train.vlm.spatial_samples import QUESTIONS, clip, frame, sample  # noqa: E402

WAYS: tuple[Isolation, ...] = ("segments", "mask")


@pytest.fixture(scope="module")
def spatial(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """With VGGT trained too, so that its gradients are compared."""
    from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: PLC0415

    folder = save_spatial(tmp_path_factory.mktemp("spatial") / "tiny")
    checkpoint = open_for_training(folder, ModelOptions(), TrainingView())
    model = checkpoint.load(dtype=torch.float32)
    set_parts(model, {"geometry": Part("full")}, unused=checkpoint.unused)
    return Tiny(model.eval(), open_chat(folder, ModelOptions()))


@pytest.fixture
def asked(tmp_path: Path) -> list[Sample]:
    """Three questions about one clip, one about another and a picture, and one about nothing."""
    one, two = clip(tmp_path, count=5), clip(tmp_path, first=20, count=2)
    scene = [sample(f"a{number}", said, clips=(one,)) for number, said in enumerate(QUESTIONS[:3])]
    return [
        scene[0],
        sample("b", QUESTIONS[3], clips=(two,), pictures=(frame(tmp_path, 7),)),
        *scene[1:],
        sample("c", ("Two?", "2")),
    ]


def _collated(small: Tiny, *rows: list[Sample], shared_prefix: bool) -> Any:
    return Collator(small.chat, small.model.config, shared_prefix=shared_prefix)(rows)


@pytest.mark.parametrize("isolation", WAYS)
def test_loss_and_gradients_are_those_of_samples_apart(spatial: Tiny, asked: list[Sample], isolation: Isolation):
    together, apart = (_collated(spatial, asked, shared_prefix=shared) for shared in (True, False))
    ours, gradients = spatial.loss(together, isolation=isolation, norm=whole(together))
    theirs, expected = spatial.loss(apart, isolation=isolation, norm=whole(apart))
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert worst(gradients, expected)[0] < 2e-4, worst(gradients, expected)
    assert any(name.startswith("spatial_encoder.") for name in gradients)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_families_of_transformers_share_beginnings_too(saved: Callable[[str], Path], tmp_path: Path, family: str):
    small = tiny(saved(family))
    shown = (picture(tmp_path, 1), picture(tmp_path, 2))
    rows = [picture_sample(f"a{number}", shown, *said) for number, said in enumerate(QUESTIONS)]
    together, apart = (_collated(small, rows, shared_prefix=shared) for shared in (True, False))
    ours, gradients = small.loss(together, isolation="segments", norm=whole(together))
    theirs, expected = small.loss(apart, isolation="segments", norm=whole(apart))
    assert together.input_ids.numel() < apart.input_ids.numel()
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert worst(gradients, expected)[0] < 2e-4, worst(gradients, expected)


@pytest.mark.parametrize("isolation", WAYS)
def test_a_question_does_not_see_the_others_behind_the_same_beginning(spatial: Tiny, tmp_path: Path, isolation: Isolation):
    from sightline.train.vlm.pack import isolate  # noqa: PLC0415

    one = clip(tmp_path)
    rows = [[sample("a", (words, "3"), clips=(one,)), sample("b", QUESTIONS[1], clips=(one,))] for words in ("Rooms?", "Doors?")]
    isolate(spatial.model, isolation)
    states = []
    for row in rows:
        batch = _collated(spatial, row, shared_prefix=True)
        with torch.no_grad():
            states.append(hidden_states(spatial.model, batch, isolation)[0][batch.sequences == 1])
    assert states[0].shape == states[1].shape
    assert torch.equal(states[0], states[1])


def test_the_beginning_stands_once_and_its_samples_behind_each_other(spatial: Tiny, asked: list[Sample]):
    batch = _collated(spatial, asked, shared_prefix=True)
    assert batch.ids == ("a0", "a1", "a2", "b", "c")
    # 5 frames are 3 steps of 90 x 60 -> 84 x 56 pixels, 3 * 2 * 3 = 18 tokens: once; 2 frames and a picture 2 * 6
    token = spatial.chat.labeller.processor.tokenizer.convert_tokens_to_ids("<|video_pad|>")
    assert int((batch.input_ids == token).sum()) == 18 + 6
    assert batch.pictures.uses.tolist() == [0, 1, 2]
    alone = _collated(spatial, [asked[2]], shared_prefix=False)
    own = (batch.sequences[0] == 1) | beginning_of(batch, 0, 1)
    assert torch.equal(batch.input_ids[0, own], alone.input_ids[0])
    assert torch.equal(batch.position_ids[:, 0, own], alone.position_ids[:, 0])


def test_packs_count_a_beginning_once():
    # group 0: 10 + 4 + 4 = 18 <= 20; group 1: 10 does not fit behind it; group 2 fits behind that: 10 + 9 = 19
    lengths, repeated = np.array([10, 10, 10, 10, 9], np.int32), np.array([4, 4, 4, 4, 3], np.int32)
    groups, bounds = np.array([0, 0, 0, 1, 2]), np.array([0, 5])
    packs = pack_shared(lengths, repeated, groups, bounds, capacity=20)
    assert packs.row_of.tolist() == [0, 0, 0, 1, 1]
    assert packs.first_row.tolist() == [0, 2]
    assert row_tokens(lengths, repeated, groups, np.array([0, 3, 5])).tolist() == [18, 19]


def test_a_pack_that_is_full_has_the_beginning_again_in_the_next():
    # 10 + 4 = 14; another 4 would be 18 > 15: a new row, where it has all of its 10
    lengths, repeated = np.array([10, 10, 10], np.int32), np.array([4, 4, 4], np.int32)
    packs = pack_shared(lengths, repeated, np.zeros(3, np.int64), np.array([0, 3]), capacity=15)
    assert packs.row_of.tolist() == [0, 0, 1]
    assert row_tokens(lengths, repeated, np.zeros(3, np.int64), np.array([0, 2, 3])).tolist() == [14, 10]


@pytest.mark.parametrize(("family", "isolation", "named"), [("internvl", "segments", "internvl"), ("qwen3_vl", "flash", "'flash'")])
def test_what_is_not_proven_is_refused_by_name(family: str, isolation: str, named: str):
    with pytest.raises(InputError, match=named):
        check_sharing(family, isolation)
