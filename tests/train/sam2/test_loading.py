"""Clips as tensors, and steps loaded ahead."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline import media  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.track import DEVIATION, MEAN, ready  # noqa: E402
from sightline.train.sam2.batches import Batch, choose_objects, join, load, recolour  # noqa: E402
from sightline.train.sam2.loading import load_steps  # noqa: E402
from sightline.train.sam2.options import Jitter, WindowOptions  # noqa: E402
from sightline.train.sam2.videos import Videos, VideoSource  # noqa: E402
from sightline.train.sam2.windows import Window, WindowPlan, evaluation_windows  # noqa: E402
from tests.train.sam2.trees import write_json  # noqa: E402

PLAIN = WindowOptions(num_frames=3, max_objects=2, flip=0.0, clip_jitter=Jitter(), frame_jitter=Jitter(), grey=0.0, image_size=32)


@pytest.fixture
def videos(tmp_path: Path) -> Videos:
    return Videos([VideoSource(write_json(tmp_path))])


def window(video: int, frames: tuple[int, ...], *, flip: bool = False, number: int = 0, seed: int | None = 0) -> Window:
    return Window(video, ("left", "right")[video], frames, number, seed, flip)


def test_a_clip_becomes_pictures_and_masks_of_the_networks_size(videos, tmp_path):
    batch = load(videos, window(0, (3, 4, 5)), PLAIN)
    assert batch.images.shape == (3, 1, 3, 32, 32)
    assert torch.equal(batch.images[0, 0], ready(media.read_rgb(tmp_path / "left/00003.jpg"), 32))
    assert batch.names == ("left/1", "left/2")
    assert batch.video_of_object.tolist() == [0, 0]
    # object 2 of frame 3 covers columns 30..46 of 48 and rows 16..30 of 32: columns 20 to 30.67 of 32, the last more than half
    expected = torch.zeros(32, 32, dtype=torch.bool)
    expected[16:30, 20:31] = True
    assert torch.equal(batch.masks[0, 1], expected)


def test_a_frame_without_annotation_keeps_its_place_and_is_unknown(videos):
    batch = load(videos, window(0, (3, 4, 5)), PLAIN)
    assert batch.known.tolist() == [[True, True], [False, False], [True, True]]
    assert not batch.masks[1].any()
    assert batch.masks[2].flatten(1).any(dim=1).tolist() == [True, True]


def test_an_empty_frame_keeps_its_place_and_is_known(videos):
    batch = load(videos, window(1, (0, 1, 2)), PLAIN)
    assert batch.known.all()
    assert batch.masks[:, 0].flatten(1).any(dim=1).tolist() == [True, False, True]


def test_a_mirrored_clip_mirrors_pictures_and_masks_alike(videos):
    there, mirrored = (load(videos, window(0, (0, 1, 2), flip=flip), PLAIN) for flip in (False, True))
    assert torch.equal(mirrored.images, there.images.flip(-1))
    assert torch.equal(mirrored.masks, there.masks.flip(-1))
    assert not torch.equal(mirrored.masks, there.masks)


def test_objects_that_appear_late_are_taken_only_by_their_odds_and_never_alone(videos):
    seen = videos.see(0, (2, 3, 5))

    def chosen(options: WindowOptions) -> set:
        return {
            tuple(track.object_id for track in choose_objects(seen, options, np.random.default_rng(seed))) for seed in range(20)
        }

    assert chosen(PLAIN) == {("1",)}
    assert chosen(replace(PLAIN, late_objects=1.0)) == {("1", "2")}
    assert chosen(replace(PLAIN, late_objects=0.5)) == {("1",), ("1", "2")}
    assert chosen(replace(PLAIN, late_objects=1.0, max_objects=1)) == {("1",)}


def test_a_clip_for_evaluation_has_all_its_objects_and_may_have_none(videos):
    first, *_ = evaluation_windows(videos, None)
    batch = load(videos, first, replace(PLAIN, max_objects=1, clip_jitter=Jitter(0.9)))
    assert batch.names == ("left/1", "left/2")
    assert torch.equal(batch.images, load(videos, first, PLAIN).images)
    empty = load(videos, window(1, (1,), seed=None), PLAIN)
    assert empty.masks.shape == (1, 0, 32, 32)
    assert empty.known.shape == (1, 0)


def test_joined_clips_keep_their_objects_apart(videos):
    left, right = load(videos, window(0, (3, 4, 5)), PLAIN), load(videos, window(1, (0, 1, 2)), PLAIN)
    both = join([left, right, left])
    assert both.images.shape == (3, 3, 3, 32, 32)
    assert both.video_of_object.tolist() == [0, 0, 1, 2, 2]
    assert torch.equal(both.masks[:, 2], right.masks[:, 0])
    assert torch.equal(both.known[:, 3:], left.known)
    assert both.names == ("left/1", "left/2", "right/7", "left/1", "left/2")
    assert [each.clip_id for each in both.windows] == ["left", "right", "left"]


def normalised(value):
    return (value - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]


def test_colours_change_for_the_clip_alike_and_for_each_frame_apart():
    images = normalised(torch.full((4, 3, 8, 8), 0.5))
    one = recolour(images, replace(PLAIN, clip_jitter=Jitter(0.5)), np.random.default_rng(0))
    assert not torch.equal(one, images)
    assert all(torch.equal(frame, one[0]) for frame in one)
    each = recolour(images, replace(PLAIN, frame_jitter=Jitter(0.5)), np.random.default_rng(0))
    assert len({frame.mean().item() for frame in each}) == 4
    # a grey picture of 0.5 stays grey, between 0.25 and 0.75
    levels = each * torch.tensor(DEVIATION)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    assert 0.25 <= levels.min().item() < levels.max().item() <= 0.75
    assert torch.equal(recolour(images, PLAIN, np.random.default_rng(0)), images)


def test_contrast_and_saturation_are_those_of_torchvision():
    functional = pytest.importorskip("torchvision.transforms.v2.functional", reason="needs torchvision")
    picture = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(3)) * torch.tensor([1.0, 0.5, 0.1])[:, None, None]
    options = replace(PLAIN, clip_jitter=Jitter(0.4, 0.4, 0.4))
    brightness, contrast, saturation = 1 + np.random.default_rng(9).uniform(-1, 1, size=3) * 0.4
    expected = functional.adjust_brightness(picture, brightness)
    expected = functional.adjust_saturation(functional.adjust_contrast(expected, contrast), saturation)
    changed = recolour(normalised(picture)[None], options, np.random.default_rng(9))[0]
    torch.testing.assert_close(changed, normalised(expected), atol=1e-5, rtol=1e-5)


def test_a_clip_without_colours_is_grey():
    images = normalised(torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1)))
    grey = recolour(images, replace(PLAIN, grey=1.0), np.random.default_rng(0))
    levels = grey * torch.tensor(DEVIATION)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    torch.testing.assert_close(levels[:, 0], levels[:, 1], atol=1e-6, rtol=0)


def same(one: Batch, other: Batch) -> bool:
    return (one.windows, one.names) == (other.windows, other.names) and all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in ("images", "masks", "known", "video_of_object")
    )


def test_workers_and_a_later_start_change_nothing(videos):
    plan = WindowPlan(videos, replace(WindowOptions(), num_frames=2, image_size=32), batch_size=2, seed=3)
    alone = list(load_steps(plan, range(2), range(4)))
    assert [loaded.step for loaded in alone] == [0, 1, 2, 3]
    for workers, first in ((2, 0), (1, 2)):
        again = list(load_steps(plan, range(2), range(first, 4), num_workers=workers))
        assert [loaded.step for loaded in again] == list(range(first, 4))
        for expected, found in zip(alone[first:], again, strict=True):
            assert expected.batch is not None
            assert found.batch is not None
            assert same(expected.batch, found.batch)


def test_two_processes_load_what_one_would(videos):
    plan = WindowPlan(videos, PLAIN, batch_size=2, seed=1)
    (whole,) = load_steps(plan, range(2), range(1))
    halves = [next(load_steps(plan, [row], range(1))).batch for row in range(2)]
    assert whole.batch is not None
    assert same(whole.batch, join([half for half in halves if half is not None]))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_stops_training_and_is_named_with_its_step(videos, tmp_path, workers):
    picture = tmp_path / "right/00002.jpg"
    picture.write_bytes(picture.read_bytes()[:400])
    plan = WindowPlan(videos, replace(PLAIN, num_frames=4), batch_size=1)  # `right` is one clip: frames 0 to 3
    step = next(step for step in range(4) if plan.window(step, 0).clip_id == "right")
    with pytest.raises(InputError, match=rf"step {step}, row 0, clip 'right', frames 0 to 3: .*right/00002.jpg.*on_bad_clip=skip"):
        list(load_steps(plan, [0], range(4), num_workers=workers))


def test_a_damaged_picture_can_be_left_out_and_is_counted(videos, tmp_path):
    picture = tmp_path / "right/00002.jpg"
    picture.write_bytes(picture.read_bytes()[:400])
    plan = WindowPlan(videos, replace(PLAIN, num_frames=4), batch_size=2)
    for loaded in load_steps(plan, range(2), range(3), on_bad_clip="skip"):
        assert loaded.batch is not None
        assert [each.clip_id for each in loaded.batch.windows] == ["left"]
        (entry,) = loaded.skipped
        assert entry.reason == "clip_not_loaded"
        assert "right/00002.jpg" in entry.detail
    alone = WindowPlan(videos, replace(PLAIN, num_frames=4), batch_size=1)
    both = list(load_steps(alone, [0], range(2), on_bad_clip="skip"))
    assert sorted((loaded.batch is None, len(loaded.skipped)) for loaded in both) == [(False, 0), (True, 1)]


def test_a_mistake_of_ours_is_no_bad_clip(videos):
    plan = WindowPlan(videos, PLAIN)
    videos._places.clear()
    with pytest.raises(ZeroDivisionError):
        list(load_steps(plan, [0], range(1), on_bad_clip="skip"))
