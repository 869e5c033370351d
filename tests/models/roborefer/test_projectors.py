"""Folding of patches into tokens, and several scales into one, by hand."""

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.models.roborefer.configuration import PROJECTOR_TYPES, check_projector  # noqa: E402
from sightline.models.roborefer.projectors import (  # noqa: E402
    FOLDS,
    Fold,
    Projector,
    join_scales,
    join_squares,
    split_squares,
    tokens_of,
)


def test_a_fold_of_two_takes_each_block_row_by_row() -> None:
    patches = torch.arange(16.0).reshape(1, 16, 1)  # 4 x 4
    assert Fold(2)(patches)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_a_fold_of_three_adds_zeros_below_and_at_the_right() -> None:
    patches = torch.arange(1.0, 17.0).reshape(1, 16, 1)  # 4 x 4, so 6 x 6 with zeros
    folded = Fold(3)(patches)[0].tolist()
    assert folded[0] == [1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert folded[1] == [4, 0, 0, 8, 0, 0, 12, 0, 0]
    assert folded[2] == [13, 14, 15, 0, 0, 0, 0, 0, 0]
    assert folded[3] == [16, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("kind", PROJECTOR_TYPES)
def test_the_projectors_have_the_published_tensors(kind) -> None:
    projector = Projector(kind, 4, 6)
    shapes = {name: tuple(tensor.shape) for name, tensor in projector.state_dict().items() if name.endswith("weight")}
    if FOLDS[kind] == 2:
        assert shapes == {"layers.1.weight": (16,), "layers.2.weight": (6, 16), "layers.4.weight": (6, 6)}
    else:
        assert shapes == {
            "layers.1.weight": (36,),
            "layers.2.weight": (12, 36),
            "layers.4.weight": (12,),
            "layers.5.weight": (6, 12),
            "layers.7.weight": (6, 6),
        }
    assert projector(torch.zeros(2, 25, 4)).shape == (2, tokens_of(5, FOLDS[kind]), 6)


def test_squares_join_into_a_grid_and_split_again() -> None:
    squares = torch.arange(24.0).reshape(6, 4, 1)  # 2 rows of 3 squares, each 2 x 2
    grid = join_squares(squares, 2, 3)
    assert grid[:, :, 0].tolist()[:2] == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]
    assert torch.equal(split_squares(grid, 2, 3), squares)


def test_scales_are_averaged_down_and_repeated_up() -> None:
    small, large = torch.tensor([[[10.0]]]), torch.tensor([[[1.0], [2.0]], [[3.0], [6.0]]])
    assert join_scales([small, large], -1).tolist() == [[[10, 1], [10, 2]], [[10, 3], [10, 6]]]
    assert join_scales([small, large], 0).tolist() == [[[10, 3]]]  # (1 + 2 + 3 + 6) / 4


def test_an_unknown_projector_is_named() -> None:
    with pytest.raises(InputError, match=r"mm_projector/config.json: .*'mlp_downsample_4x4'.*mlp_downsample_3x3_fix"):
        check_projector("mlp_downsample_4x4", "mm_projector/config.json")
