"""IoU, Dice and MAE of categories, and the instances beside them; all expected values are worked by hand on 4x6 pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.cli import run
from sightline.errors import InputError
from sightline.evaluate.vos.categories import TINY, score_categories
from sightline.geometry.masks import encode_mask


def _mask(rows: slice, columns: slice) -> dict[str, Any]:
    bitmap = np.zeros((4, 6), dtype=bool)
    bitmap[rows, columns] = True
    return {"size": [4, 6], "counts": encode_mask(bitmap).counts}


LEFT, RIGHT, ALL, TOP = (
    _mask(slice(0, 4), slice(0, 3)),
    _mask(slice(0, 4), slice(3, 6)),
    _mask(slice(0, 4), slice(0, 6)),
    _mask(slice(0, 2), slice(0, 3)),
)


def _image(identity: int, video: str, order: int, **more: Any) -> dict[str, Any]:
    name = f"{video}/{order:05d}.jpg"
    return {"id": identity, "video_id": video, "order_in_video": order, "file_name": name, "height": 4, "width": 6, **more}


def _shape(image: int, category: int, segmentation: dict[str, Any], track: int | None = None) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "segmentation": segmentation, "track_id": track}


def _world(*, numbered: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Videos "10_" (two frames) and "11_" (one frame, and one without labels), categories 1 (organ) and 2 (tool); 3 is nowhere."""
    images = [_image(2, "10_", 1), _image(1, "10_", 0), _image(3, "11_", 0), _image(4, "11_", 1, is_det_keyframe=False)]
    annotated = [
        _shape(1, 1, LEFT, 1),
        _shape(1, 1, RIGHT, 2),  # two instances of the organ fill the picture
        _shape(2, 2, RIGHT, 3),
        _shape(3, 1, LEFT, 1),
        _shape(4, 1, LEFT, 1),
    ]
    found = [_shape(1, 1, LEFT, 1), _shape(2, 2, ALL, 3), _shape(3, 2, TOP, 9), _shape(3, 1, LEFT, 1)]
    if not numbered:
        for shape in (*annotated, *found):
            del shape["track_id"]
    file = {
        "images": images,
        "annotations": [{"id": number, **shape} for number, shape in enumerate(annotated)],
        "categories": [{"id": 1, "name": "organ"}, {"id": 2, "name": "tool"}, {"id": 3, "name": "smoke"}],
    }
    return file, found


def _save(folder: Path, truth: Any, found: Any) -> tuple[Path, Path]:
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(found))
    return folder / "found.json", folder / "truth.json"


def test_frames_make_videos_and_videos_make_categories(tmp_path: Path) -> None:
    scores = score_categories(*_save(tmp_path, *_world()))
    # organ, "10_": frame 0 has 24 pixels annotated, 12 of them found; in frame 1 neither side shows it. "11_": 12 of 12.
    half = (12 / (24 + TINY), 24 / (36 + TINY), 0.5)
    exact = (12 / (12 + TINY), 24 / (24 + TINY), 0.0)
    assert scores.figures["organ"] == {"10_": pytest.approx(half, abs=1e-15), "11_": pytest.approx(exact, abs=1e-15)}
    # tool, "10_": 12 pixels annotated, 24 found; "11_": found but not there, 6 wrong pixels of 24
    assert scores.figures["tool"] == {"10_": pytest.approx(half, abs=1e-15), "11_": (0.0, 0.0, 0.25)}
    assert scores.figures["smoke"] == {}
    organ = tuple((a + b) / 2 for a, b in zip(half, exact, strict=True))
    tool = (half[0] / 2, half[1] / 2, 0.375)
    assert scores.mean() == pytest.approx(tuple((a + b) / 2 for a, b in zip(organ, tool, strict=True)), abs=1e-15)
    assert scores.num_frames == 3  # the frame without labels is left out


def test_numbered_instances_have_scores_of_their_own(tmp_path: Path) -> None:
    scores = score_categories(*_save(tmp_path, *_world(numbered=True)))
    found = {(each.video, each.object_id): each for each in scores.objects}
    assert found.keys() == {("10_", "1"), ("10_", "2"), ("10_", "3"), ("11_", "1")}
    assert found["10_", "1"].region.tolist() == [1.0, 1.0]  # found, and rightly absent
    assert found["10_", "2"].region.tolist() == [0.0, 1.0]
    assert found["10_", "3"].region.tolist() == [1.0, 0.5]
    assert found["10_", "3"].frames == ("00000", "00001")
    assert found["10_", "3"].empty == (True, False)
    assert found["10_", "3"].boundary.tolist() == [1.0, 0.0]  # a mask of the whole picture has no boundary
    assert scores.unasked == 1  # the found instance 9


def test_results_may_stand_in_a_file_of_the_same_form(tmp_path: Path) -> None:
    truth, found = _world()
    plain = score_categories(*_save(tmp_path, truth, found)).mean()
    assert score_categories(*_save(tmp_path, truth, {"annotations": found, "images": []})).mean() == plain


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    truth, found = _world(numbered=True)
    with pytest.raises(InputError, match=r"found\.json, result 0: image 77, category 1; .*does not list both"):
        score_categories(*_save(tmp_path, truth, [_shape(77, 1, LEFT)]))
    with pytest.raises(InputError, match=r"found\.json, image 1: a mask of 5x4 in a picture of 6x4"):
        score_categories(*_save(tmp_path, truth, [_shape(1, 1, {"size": [4, 5], "counts": [0, 20]})]))
    with pytest.raises(InputError, match=r"found\.json, image 1: the instance 1 has two masks"):
        score_categories(*_save(tmp_path, truth, [*found, _shape(1, 1, RIGHT, 1)]))
    del truth["images"][0]["video_id"]
    with pytest.raises(InputError, match="image 2 is of video None"):
        score_categories(*_save(tmp_path, truth, found))


def test_the_command_tells_what_is_no_instance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = _save(tmp_path, *_world())
    assert run(["eval-vos", *map(str, saved), "--protocol", "category", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "organ" in told.out
    assert "4 annotated and 4 found masks have no track_id" in told.err
    rows = (tmp_path / "out" / "videos.csv").read_text().splitlines()
    assert rows[0] == "category,video,IoU,Dice,MAE"
    assert rows[-1] == "tool,11_,0.0,0.0,0.25"
    assert not (tmp_path / "out" / "objects.csv").exists()


def test_the_command_writes_the_instances_frame_by_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = _save(tmp_path, *_world(numbered=True))
    assert run(["eval-vos", *map(str, saved), "--protocol", "category", "--out", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["columns"]["J instances"] == pytest.approx((1 + 0.5 + 0.75 + 1) / 4)
    frames = (tmp_path / "out" / "frames.csv").read_text().splitlines()
    assert frames[1] == "10_,1,00000,1.0,1.0,1"
