"""Focal and dice at points instead of at all pixels."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.clip import Step  # noqa: E402
from sightline.models.sam2.losses import LossWeights, dice_loss, focal_loss, step_terms  # noqa: E402
from sightline.models.sam2.point_samples import draw_points, read_at  # noqa: E402

SIDE = 32
EVERYWHERE = LossWeights(points=SIDE * SIDE)
KEYS = [(5, 0), (5, 1)]


def _step(seed: int = 0):
    """Two objects, three masks each."""
    torch.manual_seed(seed)
    low_res = torch.nn.functional.avg_pool2d(3 * torch.randn(2, 3, SIDE // 4 + 4, SIDE // 4 + 4), 5, stride=1) * 4
    chosen = torch.zeros(2, dtype=torch.long)
    return Step(low_res=low_res.requires_grad_(), iou=torch.rand(2, 3), score=torch.randn(2, 1), chosen=chosen, side=SIDE)


def _truth():
    truth = torch.zeros(2, SIDE, SIDE)
    truth[0, 4:20, 6:30] = 1
    truth[1, 20:28, :9] = 1
    return truth


def _pixels():
    """The middle of every pixel, for each mask of each object."""
    middles = (torch.arange(SIDE) + 0.5) / SIDE
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([x, y], dim=2).reshape(1, 1, SIDE * SIDE, 2).expand(2, 3, -1, -1)


def test_reading_the_small_mask_at_all_pixels_is_enlarging_it():
    step = _step()
    torch.testing.assert_close(read_at(step.low_res, _pixels()), step.high_res.flatten(2), atol=2e-6, rtol=0)


def test_with_all_pixels_as_points_loss_and_gradient_are_the_dense_ones(monkeypatch):
    known, dense, sparse = torch.ones(2), _step(), _step()
    wanted, best = step_terms(dense, _truth(), known, LossWeights())
    monkeypatch.setattr("sightline.models.sam2.losses.draw_points", lambda *_, **__: _pixels())
    found, also = step_terms(sparse, _truth(), known, EVERYWHERE, point_keys=KEYS)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-6)
    assert torch.equal(best, also)
    wanted[:2].sum().backward()
    found[:2].sum().backward()
    torch.testing.assert_close(sparse.low_res.grad, dense.low_res.grad, atol=1e-7, rtol=1e-4)


def test_points_drawn_evenly_give_the_dense_focal_loss_in_the_mean():
    step, truth = _step(), _truth()
    logits, target = step.high_res, truth.unsqueeze(1).expand(2, 3, SIDE, SIDE)
    dense = focal_loss(logits, target, alpha=0.25, gamma=2.0)
    weights = LossWeights(points=20_000, point_importance=0.0)
    points = draw_points(step.low_res, weights.points, keys=KEYS, importance=0.0)
    true = read_at(truth.unsqueeze(1).expand(2, 3, SIDE, SIDE), points)
    torch.testing.assert_close(focal_loss(read_at(step.low_res, points), true, alpha=0.25, gamma=2.0), dense, atol=0, rtol=0.15)
    assert dice_loss(read_at(step.low_res, points), true).shape == (2, 3)


def test_most_points_lie_where_the_mask_is_uncertain():
    logits = torch.linspace(8, -8, 64).expand(1, 1, 64, 64)  # 0 in the middle, from left to right
    points = draw_points(logits, 400, keys=[(1,)])
    from_middle = (points[0, 0, :, 0] - 0.5).abs()
    # the 300 of 1,200 nearest to 0 fill the middle quarter of the width; of the 100 others a quarter lies there
    assert float(from_middle[:300].max()) < 0.15
    assert 10 < int((from_middle[300:] < 0.125).sum()) < 45


def test_an_objects_points_follow_from_its_key_alone():
    logits = _step().low_res.detach()
    both = draw_points(logits, 50, keys=KEYS)
    assert torch.equal(draw_points(logits[1:], 50, keys=KEYS[1:]), both[1:])
    assert not torch.equal(draw_points(logits[1:], 50, keys=[(6, 1)]), both[1:])


def test_the_loss_of_an_object_is_the_same_in_any_batch():
    step, truth, weights = _step(), _truth(), LossWeights(points=100)
    alone = replace(step, low_res=step.low_res[1:], iou=step.iou[1:], score=step.score[1:], chosen=step.chosen[1:])
    second = torch.tensor([0.0, 1.0])  # only the second object is known
    both = step_terms(step, truth, second, weights, point_keys=KEYS)[0] * 2
    torch.testing.assert_close(step_terms(alone, truth[1:], second[1:], weights, point_keys=KEYS[1:])[0], both)


def test_a_frame_whose_masks_were_given_has_points_too():
    given = (20 * _truth() - 10).requires_grad_()
    step = replace(_step(), given=given, low_res=_step().low_res[:, :1], iou=torch.ones(2, 1))
    terms, _ = step_terms(step, _truth(), torch.ones(2), LossWeights(points=64), point_keys=KEYS)
    assert terms[1] < 1  # in the middle of a slope of 20 the truth is 0.5, and so is the answer


@pytest.mark.parametrize("wrong", [{"points": -1}, {"points": 9, "point_oversample": 0.5}, {"point_importance": 1.5}])
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InputError, match="losses: points"):
        LossWeights(**wrong)
