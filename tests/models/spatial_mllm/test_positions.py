"""Positions by hand, and media that do not fit their places."""

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.models.spatial_mllm.positions import MediaTable, Positions, multimodal_positions  # noqa: E402

IMAGE, VIDEO = 60, 61


def positions(
    ids: list[int], *, grid: list[tuple[int, int, int]], seconds: float = 1.0, mask: list[int] | None = None
) -> Positions:
    table = MediaTable(VIDEO, torch.tensor(grid), torch.full((len(grid),), seconds))
    valid = None if mask is None else torch.tensor([mask])
    return multimodal_positions(torch.tensor([ids]), valid, [table], merge=2, tokens_per_second=2.0)


def test_text_goes_on_after_the_time_where_that_is_the_highest() -> None:
    # three steps of 1 x 2 tokens, 1 s each, 2 a second: times 2, 4, 6 from the start at 2; rows 2; columns 2, 3
    found = positions([1, 2, *[VIDEO] * 6, 3, 4], grid=[(3, 2, 4)])
    assert found.ids[:, 0].tolist() == [
        [0, 1, 2, 2, 4, 4, 6, 6, 7, 8],
        [0, 1, 2, 2, 2, 2, 2, 2, 7, 8],
        [0, 1, 2, 3, 2, 3, 2, 3, 7, 8],
    ]
    assert found.deltas.tolist() == [[-1]]  # the next is 9, of 10 tokens


def test_times_are_cut_off_and_padding_counts_nothing() -> None:
    found = positions([0, 0, 1, *[VIDEO] * 3, 2, 0], grid=[(3, 2, 2)], seconds=0.7, mask=[0, 0, 1, 1, 1, 1, 1, 0])
    assert found.ids[0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 0]  # 1.4 and 2.8 are 1 and 2 after the start at 1
    assert found.deltas.tolist() == [[0]]


def test_pictures_have_no_time_and_kinds_may_alternate() -> None:
    tables = [
        MediaTable(IMAGE, torch.tensor([(1, 4, 2)]), None),
        MediaTable(VIDEO, torch.tensor([(2, 2, 2)]), torch.tensor([0.5])),
    ]
    ids = torch.tensor([[VIDEO, VIDEO, 1, IMAGE, IMAGE, 2]])
    found = multimodal_positions(ids, None, tables, merge=2, tokens_per_second=2.0)
    assert found.ids[:, 0].tolist() == [[0, 1, 2, 3, 3, 5], [0, 0, 2, 3, 4, 5], [0, 0, 2, 3, 3, 5]]


@pytest.mark.parametrize(
    ("ids", "grid", "message"),
    [
        ([1, VIDEO, VIDEO, 2], [(3, 2, 2)], "sample 0 of the batch, token 1: 3 places"),
        ([1, VIDEO, VIDEO], [(3, 2, 2)], "token 1: 3 places"),
        ([1, VIDEO, 2, VIDEO], [(1, 2, 2)], "token 3: no further medium"),
        ([1, VIDEO, 2], [(1, 2, 2), (1, 2, 2)], r"media without places in the text \(token id: media\): \{61: 1\}"),
    ],
)
def test_media_that_do_not_fit_their_places_are_refused(ids: list[int], grid: list[tuple[int, int, int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        positions(ids, grid=grid)
