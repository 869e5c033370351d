"""Which frames become views: worked by hand on areas, no pictures."""

from pathlib import Path

import pytest

from sightline.datasets.clips.davis import Davis
from sightline.prepare.views import SurveyedFrame, choose_views, survey
from sightline.types import ClipFrame, LedgerEntry
from tests.davis_tree import labels, save_palette, write_sequence


def frame(time: int, *, border: int = 0, **areas: int) -> SurveyedFrame:
    """A 100x100 frame; `a=400` is label 1, `void=7` is label 255."""
    by_label = {{"a": 1, "b": 2, "void": 255}[name]: area for name, area in areas.items()}
    return SurveyedFrame(ClipFrame(frame_id=f"{time:05d}"), time, 100, 100, by_label, {1: border} if border else {})


def times(frames: list[SurveyedFrame], views: int) -> list[int]:
    return [chosen.time for chosen in choose_views(frames, 1, views=views, min_area=0.001)]


def test_equal_sights_are_spread_evenly_from_first_to_last() -> None:
    assert times([frame(t, a=400) for t in range(50)], 5) == [0, 12, 24, 37, 49]  # moments 0, 12.25, 24.5, 36.75, 49


def test_a_better_sight_near_the_moment_is_preferred() -> None:
    # moments 0, 5, 10, spacing 5. At 5 the object is a quarter of its typical 400 pixels: 0.25. At 6: 1 / (1 + 2 * 1 / 5) = 0.71
    frames = [frame(t, a=100 if t in (4, 5) else 400) for t in range(11)]
    assert times(frames, 3) == [0, 6, 10]
    # cut by the border along 20 of its 20 pixels of width: quality 1 / 2 at 5; at 4 and 6 0.71, and the earlier wins
    frames = [frame(t, a=400, border=20 if t == 5 else 0) for t in range(11)]
    assert times(frames, 3) == [0, 4, 10]


def test_up_to_two_in_five_views_show_that_it_is_absent_and_the_first_never_does() -> None:
    frames = [frame(t) for t in range(4)] + [frame(t, a=400) for t in range(4, 20)]
    # three sights at moments 4, 11.5, 19 and absences 0 and 3; the earliest sight first, then by time
    assert times(frames, 5) == [4, 0, 3, 11, 19]
    assert times(frames, 2) == [4, 19]  # two views: none to spare


def test_void_proves_no_absence_and_a_small_sight_is_neither() -> None:
    frames = [frame(0, a=400), frame(1, void=5), frame(2, a=9), frame(3, b=400), frame(4, a=400)]
    assert times(frames, 5) == [0, 3, 4]  # frame 1: void; frame 2: 9 pixels of 10,000 are under 0.1 %


def test_fewer_sights_than_views_give_fewer_views_and_one_gives_none() -> None:
    assert times([frame(0, a=400), frame(5, a=400)], 5) == [0, 5]
    assert times([frame(0, a=400), frame(1), frame(2)], 5) == []


def test_survey_counts_pixels_and_those_on_the_border(tmp_path: Path) -> None:
    write_sequence(tmp_path, "a", [{1: (0, 0, 3, 2), 2: (20, 10, 24, 12)}, None])
    ledger: list[LedgerEntry] = []
    (found,) = survey(Davis(tmp_path, "all")[0], tmp_path, ledger)
    # label 1 is 3x2 in the corner: the border holds its first row (3) and first column (2), the corner once
    assert (found.areas, found.border, ledger) == ({1: 6, 2: 8}, {1: 4}, [])
    assert found.share(2) == pytest.approx(8 / (48 * 32))


def test_survey_names_what_it_cannot_use(tmp_path: Path) -> None:
    write_sequence(tmp_path, "a", [{1: (0, 0, 9, 9)}] * 4)
    folder = tmp_path / "Annotations" / "480p" / "a"
    save_palette(folder / "00001.png", labels({1: (0, 0, 9, 9)})[:, :-1])
    (folder / "00002.png").write_bytes((folder / "00000.png").read_bytes()[:60])
    (tmp_path / "JPEGImages" / "480p" / "a" / "00003.jpg").write_bytes(b"GIF89a")
    ledger: list[LedgerEntry] = []
    assert [found.time for found in survey(Davis(tmp_path, "all")[0], tmp_path, ledger)] == [0]
    assert [(entry.unit, entry.reason) for entry in ledger] == [
        ("a/00001", "size_mismatch"),
        ("a/00002", "unreadable"),
        ("a/00003", "unreadable"),
    ]
    assert "labels of 47x32 for a picture of 48x32" in ledger[0].detail
