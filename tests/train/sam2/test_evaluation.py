"""Held-out videos: what is scored, and what the numbers are."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.evaluate.video.packed import pack_mask, pack_rle  # noqa: E402
from sightline.evaluate.video.region_boundary import score_frames  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.parts import fresh_model  # noqa: E402
from sightline.models.sam2.track import PictureFrames, Shown, track_frames  # noqa: E402
from sightline.train.sam2.evaluation import _prompt, means, score_videos, table  # noqa: E402
from sightline.train.sam2.settings import ValidationSettings  # noqa: E402
from sightline.train.sam2.videos import Videos, VideoSource  # noqa: E402
from tests.train.sam2.trees import write_json  # noqa: E402

MASK = ValidationSettings()


@pytest.fixture(scope="module")
def model() -> ClipModel:
    fresh = fresh_model(tiny_config(64), 0)
    with torch.no_grad():  # so that objects are taken for seen, and masks are not empty
        fresh.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(3.0)
    return ClipModel(fresh)


@pytest.fixture
def videos(tmp_path: Path) -> Videos:
    return Videos([VideoSource(write_json(tmp_path))])


def test_every_object_is_scored_from_the_frame_after_its_first_to_the_one_before_the_last_where_it_is_known(model, videos):
    scores = list(score_videos(model, videos, MASK))
    # left/1: frames 1 to 4 without the unannotated 4; left/2 is first seen in 3, 4 is unknown, 5 the last: nothing to score;
    # right/7: frames 1 and 2
    assert [(each.clip_id, each.object_id, each.num_frames) for each in scores] == [("left", "1", 3), ("right", "7", 2)]


def test_the_copied_first_mask_has_the_overlap_that_the_squares_have(model, videos):
    scores = list(score_videos(model, videos, MASK))
    # left/1 moves by 2 columns a frame, 12 wide: overlaps 10, 8, 6 of 14, 16, 18 columns
    assert scores[0].copied_region == pytest.approx((10 / 14 + 8 / 16 + 6 / 18) / 3, abs=1e-12)
    # right/7 is absent in frame 1 (J 0); in frame 2 it has moved by 2 of 20 columns: 18 of 22
    assert scores[1].copied_region == pytest.approx((0 + 18 / 22) / 2, abs=1e-12)


def test_scores_are_those_of_the_tracked_masks_in_the_pictures_size(model, videos):
    (score, *_) = score_videos(model, videos, MASK)
    seen = videos.see(0, range(6))
    truth = [seen.mask(seen.tracks[0], frame) for frame in range(6)]
    frames = PictureFrames([seen.root / str(frame.image) for frame in seen.clip.frames], 64)
    shown = [Shown(frame=0, object_id="1", mask=decode_mask(truth[0]))]
    model.eval()
    tracked = {frame: masks["1"] for frame, masks in track_frames(model, frames, shown)}
    model.train()
    expected = score_frames([pack_rle(truth[frame]) for frame in (1, 2, 3)], [pack_rle(tracked[frame]) for frame in (1, 2, 3)])
    assert score.region == pytest.approx(expected.region.mean(), abs=1e-12)
    assert score.boundary == pytest.approx(expected.boundary.mean(), abs=1e-12)
    assert score.region > 0


def test_the_models_mode_is_as_before_and_few_videos_may_be_asked_for(model, videos):
    model.train()
    scores = list(score_videos(model, videos, ValidationSettings(num_videos=1, resolution="network")))
    assert {each.clip_id for each in scores} == {"left"}
    assert model.training


def test_means_are_over_objects_and_the_table_has_a_line_for_each(model, videos):
    scores = list(score_videos(model, videos, MASK))
    found = means(scores)
    assert found["J"] == pytest.approx(np.mean([each.region for each in scores]))
    assert found["J&F"] == pytest.approx((found["J"] + found["F"]) / 2)
    lines = table(scores).decode().splitlines()
    assert lines[0] == "clip,object,J&F,J,F,copied_J,copied_F,num_frames"
    assert [line.split(",")[:2] for line in lines[1:]] == [["left", "1"], ["right", "7"]]
    assert np.isnan(means([])["J&F"])


def test_an_object_is_shown_by_its_box_or_its_deepest_point_in_the_networks_pixels():
    mask = np.zeros((32, 48), bool)
    mask[8:17, 12:27] = True  # 15 wide, 9 high: rows 12 and columns 16..22 lie deepest, the first is (16, 12)
    box = _prompt("a", mask, 0, image_size=96, kind="box")
    assert box.coords is not None
    assert box.labels is not None
    # x * 96 / 48 - 0.5, y * 96 / 32 - 0.5: (12, 8) and (27, 17)
    assert box.coords.tolist() == [[23.5, 23.5], [53.5, 50.5]]
    assert box.labels.tolist() == [2, 3]
    point = _prompt("a", mask, 0, image_size=96, kind="point")
    assert point.coords is not None
    assert point.coords.tolist() == [[16.5 * 2 - 0.5, 12.5 * 3 - 0.5]]
    assert pack_mask(mask).area == 15 * 9


@pytest.mark.parametrize("prompt", ["box", "point"])
def test_other_prompts_are_followed_too(model, videos, prompt):
    scores = list(score_videos(model, videos, ValidationSettings(prompt=prompt)))
    assert len(scores) == 2
