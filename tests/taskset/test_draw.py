"""`draw_example`: sheets of clips and true boxes; colours are those of the truth where it is, and the picture's elsewhere."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline import media
from sightline.taskset.draw import FRAMES_A_ROW, MOST_FRAMES, TRUTH, draw_example
from sightline.taskset.store import TaskSet
from sightline.types import Boxes, Example
from tests.report.clip_world import HEIGHT, WIDTH, ClipWorld, make_clip_world, place


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipWorld:
    return make_clip_world(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def draw(clips, tmp_path):
    """`draw(task)`: the sheet of the task set's first example, and the example."""

    def run(task: str, example: Example | None = None) -> tuple[np.ndarray, Example]:
        taskset = TaskSet(clips.root / task)
        found = example or taskset[0]
        path: Path = tmp_path / "sheet.png"
        draw_example(taskset, found, path)
        return media.read_rgb(path), found

    return run


def frame_of(sheet: np.ndarray, position: int) -> np.ndarray:
    row, column = divmod(position, FRAMES_A_ROW)
    return sheet[row * HEIGHT : (row + 1) * HEIGHT, column * WIDTH : (column + 1) * WIDTH]


def is_truth(picture: np.ndarray, x: float, y: float) -> bool:
    return bool((picture[int(y), int(x)] == TRUTH).all())


def test_a_clip_is_a_sheet_of_frames_with_the_true_boxes(draw):
    sheet, _ = draw("refer_track")
    assert sheet.shape == (2 * HEIGHT, 4 * WIDTH, 3)  # 6 frames
    x0, y0, _, _ = place(1)
    assert is_truth(frame_of(sheet, 1), x0, y0)
    assert not any(is_truth(frame_of(sheet, 3), x, 10.0) for x in range(WIDTH))  # nothing is there


def test_a_frame_of_which_the_truth_is_not_known_is_grey(draw):
    sheet, _ = draw("refer_track")
    unknown = frame_of(sheet, 5)[HEIGHT - 4 :]  # below the object
    assert (unknown[..., 0] == unknown[..., 1]).all()
    known = frame_of(sheet, 4)[HEIGHT - 4 :]
    assert (known[..., 0] != known[..., 1]).any()


def test_of_a_long_clip_some_frames_are_drawn_evenly_with_their_masks(draw):
    sheet, _ = draw("refer_mask_track")
    assert sheet.shape == (MOST_FRAMES // FRAMES_A_ROW * HEIGHT, FRAMES_A_ROW * WIDTH, 3)
    x0, y0, _, _ = place(0)
    assert is_truth(frame_of(sheet, 0), x0, y0)


def test_frames_of_a_true_stretch_of_time_have_a_rim(draw):
    sheet, example = draw("refer_span")  # 0.5 s to 1.5 s, frames every 0.5 s
    assert [is_truth(frame_of(sheet, k), 2, 20) for k in range(len(example.question.images))] == [False, True, True, False, False]


def test_a_true_box_is_drawn_in_the_picture_that_is_asked_about(draw, clips):
    pair = TaskSet(clips.root / "relation_choice")[0]
    truth = msgspec.structs.replace(pair.truth, answer=Boxes(boxes=((4.0, 10.0, 20.0, 22.0),), image_index=1))
    sheet, _ = draw("relation_choice", msgspec.structs.replace(pair, truth=truth))
    assert sheet.shape == (HEIGHT, 2 * WIDTH, 3)
    assert [is_truth(sheet, x + 4, 10) for x in (0, WIDTH)] == [False, True]
