"""Each protocol gives what its official program gives on the same files."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.evaluate.vos.protocols import Folders, score_davis2017, score_lvos, score_youtube_vos
from sightline.evaluate.vos.run import read_meta, read_split, score_folder
from sightline.evaluate.vos.table import (
    Split,
    disappearances,
    lvos_variation,
    reappearances,
    statistics_of,
    summarise,
    write_tables,
)
from tests.evaluate.vos.clips import HEIGHT, META, WIDTH, draw_disk, save_labels, write_clips

OFFICIAL: dict[str, Any] = json.loads(Path(__file__).with_name("official.json").read_text())
SMALL = 1e-12


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    write_clips(root)
    return root


def _folders(root: Path, meta: Any = None) -> Folders:
    return Folders(predicted=root / "pred", truth=root / "gt", meta=meta)


def test_davis_scores_of_real_results_are_the_official_ones(shared_data: Path) -> None:
    davis = shared_data / "davis"
    expected = json.loads((davis / "expected_scores.json").read_text())["per_sequence"]
    objects = score_folder(Folders(davis / "osvos_results", davis / "Annotations" / "480p"), "davis2016")
    assert {each.video for each in objects} == set(expected)
    for each in objects:
        found, wanted = statistics_of(each), expected[each.video]
        assert found.region.mean == pytest.approx(wanted["J_mean"], abs=1e-9)
        assert found.region.recall == pytest.approx(wanted["J_recall"], abs=1e-9)
        assert found.region.decay == pytest.approx(wanted["J_decay"], abs=1e-9)
        assert found.boundary.mean == pytest.approx(wanted["F_mean"], abs=1e-9)
        assert found.boundary.recall == pytest.approx(wanted["F_recall"], abs=1e-9)
        assert found.boundary.decay == pytest.approx(wanted["F_decay"], abs=1e-9)


def test_sav_scores_are_the_official_ones(clips: Path) -> None:
    found = {f"{each.video}/{each.object_id}": each for each in score_folder(_folders(clips), "sav")}
    assert found.keys() == OFFICIAL["sav"].keys()
    for name, (j, f) in OFFICIAL["sav"].items():
        assert found[name].region.mean() == pytest.approx(j, abs=SMALL)
        assert found[name].boundary.mean() == pytest.approx(f, abs=SMALL)


def test_sav_folders_of_one_object_each_score_the_same(clips: Path, tmp_path: Path) -> None:
    # A folder of one object is a palette clip in which only that object is: nothing else can start its scoring.
    for kind in ("gt", "pred"):
        for path in sorted((clips / kind / "late").iterdir()):
            labels = np.asarray(Image.open(path))
            for label in (1, 2, 5):
                save_labels(
                    tmp_path / kind / "late" / f"{label:03d}" / path.name, (labels == label).astype(np.uint8) * np.uint8(255)
                )
    found = {each.object_id: each for each in score_folder(_folders(tmp_path), "sav")}
    for label in (1, 2, 5):
        j, f = OFFICIAL["sav"][f"late/{label}"]
        assert found[f"{label:03d}"].region.mean() == pytest.approx(j, abs=SMALL)
        assert found[f"{label:03d}"].boundary.mean() == pytest.approx(f, abs=SMALL)


def test_mose2_scores_are_the_official_ones(clips: Path) -> None:
    for each in score_folder(_folders(clips, META), "mose2"):
        j, adaptive, f, gone_j, gone_f, back_j, back_f = OFFICIAL["mose2"][f"{each.video}/{each.object_id}"]
        assert each.region.mean() == pytest.approx(j, abs=SMALL)
        assert each.boundary_adaptive.mean() == pytest.approx(adaptive, abs=SMALL)
        assert each.boundary.mean() == pytest.approx(f, abs=SMALL)
        for stretches, wanted_j, wanted_f in ((disappearances(each), gone_j, gone_f), (reappearances(each), back_j, back_f)):
            if wanted_j is None:
                assert not stretches
                continue
            assert np.mean([each.region[part].mean() for part in stretches]) == pytest.approx(wanted_j, abs=SMALL)
            assert np.mean([each.boundary_adaptive[part].mean() for part in stretches]) == pytest.approx(wanted_f, abs=SMALL)


def test_mose2_table_is_the_mean_of_the_official_objects(clips: Path) -> None:
    columns = summarise("mose2", score_folder(_folders(clips, META), "mose2")).columns
    rows = list(OFFICIAL["mose2"].values())
    j, adaptive = (np.mean([row[place] for row in rows]) for place in (0, 1))
    assert columns["J&F adaptive"] == pytest.approx((j + adaptive) / 2, abs=SMALL)
    gone = [(row[3] + row[4]) / 2 for row in rows if row[3] is not None]
    assert columns["J&F adaptive, disappeared"] == pytest.approx(np.mean(gone), abs=SMALL)


def test_a_video_without_prediction_is_0_in_mose2_and_an_error_elsewhere(clips: Path, tmp_path: Path) -> None:
    shutil.copytree(clips / "pred" / "calm", tmp_path / "pred" / "calm")
    folders = Folders(predicted=tmp_path / "pred", truth=clips / "gt", meta=META)
    late = [each for each in score_folder(folders, "mose2") if each.video == "late"]
    assert len(late) == 3
    assert all(each.region.sum() == each.boundary_adaptive.sum() == 0 for each in late)
    with pytest.raises(InputError, match="no masks of 1 of 2 videos: late"):
        score_folder(folders, "sav")


def test_any_number_of_workers_gives_the_same(clips: Path) -> None:
    one, two = (score_folder(_folders(clips), "sav", workers=workers) for workers in (1, 2))
    assert [(each.video, each.object_id) for each in one] == [(each.video, each.object_id) for each in two]
    assert all(np.array_equal(a.boundary, b.boundary) for a, b in zip(one, two, strict=True))


def _write(root: Path, frames: list[tuple[int, int, int]], *, names: list[str] | None = None) -> None:
    """A clip of one disk at (x, y) with a label, a frame a tuple; label 0: nothing."""
    for number, (label, x, y) in enumerate(frames):
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        if label:
            draw_disk(labels, label, x, y, 10)
        save_labels(root / (names[number] if names else f"{number:05d}.png"), labels)


def test_davis2017_takes_the_objects_of_the_first_frame(tmp_path: Path) -> None:
    _write(tmp_path / "gt/a", [(2, 40, 40), (2, 40, 40), (3, 40, 40), (2, 40, 40)])
    _write(tmp_path / "pred/a", [(2, 40, 40), (2, 40, 40), (2, 40, 40), (2, 40, 40)])
    found = score_davis2017(_folders(tmp_path), "a")
    assert [each.object_id for each in found] == ["1", "2"]  # the gap counts as an empty object, the new label not at all
    assert found[0].region.tolist() == [1.0, 1.0]  # empty and predicted empty
    assert found[1].region.tolist() == [1.0, 0.0]  # frames 1 and 2; in frame 2 it is not annotated but predicted


def test_davis2017_refuses_a_label_that_no_object_has(tmp_path: Path) -> None:
    _write(tmp_path / "gt/a", [(1, 40, 40)] * 3)
    _write(tmp_path / "pred/a", [(4, 40, 40)] * 3)
    with pytest.raises(InputError, match=r"00001\.png has the label 4; the annotation's first frame has 1"):
        score_davis2017(_folders(tmp_path), "a")


def test_an_early_false_positive_starts_the_scoring_of_an_object(tmp_path: Path) -> None:
    _write(tmp_path / "gt/a", [(0, 0, 0)] * 4 + [(1, 40, 40)] * 2)
    _write(tmp_path / "pred/a", [(0, 0, 0), (0, 0, 0), (1, 40, 40), (0, 0, 0), (1, 40, 40), (0, 0, 0)])
    (found,) = score_folder(_folders(tmp_path), "sav")
    assert found.frames == ("00002.png", "00003.png", "00004.png")
    assert found.region.tolist() == [0.0, 1.0, 1.0]


def test_lvos_follows_each_object_over_its_own_range(tmp_path: Path) -> None:
    names = [f"{number:08d}.png" for number in (1, 6, 11, 16, 21)]
    _write(tmp_path / "gt/v", [(7, 40, 40)] * 5, names=names)
    _write(tmp_path / "pred/v", [(7, 40, 40), (7, 40, 40), (0, 0, 0), (7, 40, 40), (7, 40, 40)], names=names)
    meta = {"v": {"objects": {"7": {"frame_range": {"start": "1", "end": "26", "frame_nums": "5"}}}}}
    (found,) = score_lvos(_folders(tmp_path, meta), "v")
    assert found.frames == ("00000006.png", "00000011.png", "00000016.png")
    assert found.region.tolist() == [1.0, 0.0, 1.0]
    # J&F 1, 0, 1: mean 2/3, variance (1/9 + 4/9 + 1/9) / 3 = 2/9 = 0.2222, root 0.47138
    assert lvos_variation(found) == pytest.approx(0.2222**0.5, abs=SMALL)


def test_youtube_vos_follows_each_object_from_its_second_listed_frame(tmp_path: Path) -> None:
    names = ["00000.png", "00005.png", "00010.png", "00015.png"]
    _write(tmp_path / "gt/v", [(0, 0, 0), (3, 40, 40), (3, 40, 40), (3, 40, 40)], names=names)
    _write(tmp_path / "pred/v", [(0, 0, 0), (0, 0, 0), (3, 40, 40), (0, 0, 0)], names=names)
    meta = {"v": {"objects": {"3": {"category": "owl", "frames": ["00005", "00010", "00015"]}}}}
    (found,) = score_youtube_vos(_folders(tmp_path, meta), "v")
    assert found.region.tolist() == [1.0, 0.0]
    split = Split(unseen=frozenset({"owl"}), category_of={("v", "3"): "owl"})
    columns = summarise("ytvos", [found], split=split).columns
    assert (columns["J unseen"], columns["J seen"], columns["G"]) == (0.5, None, None)


def test_g_is_the_mean_of_four_means(clips: Path) -> None:
    objects = score_folder(_folders(clips), "sav")
    columns = summarise("lvos", objects, split=Split(unseen=frozenset({"late"}), category_of={})).columns
    parts = [columns[name] for name in ("J seen", "F seen", "J unseen", "F unseen")]
    assert all(part is not None for part in parts)
    assert columns["G"] == pytest.approx(sum(part for part in parts if part is not None) / 4, abs=SMALL)


@pytest.mark.parametrize("protocol", ["lvos", "ytvos"])
def test_a_protocol_that_needs_the_description_says_so(clips: Path, protocol: str) -> None:
    with pytest.raises(InputError, match=r"give it with --meta FILE"):
        score_folder(_folders(clips), protocol)


def test_an_unknown_protocol_is_refused_with_the_known_ones(clips: Path) -> None:
    with pytest.raises(InputError, match="'coco'; the protocols are: davis2017, "):
        score_folder(_folders(clips), "coco")


def test_a_missing_frame_and_another_size_are_errors_with_their_path(tmp_path: Path) -> None:
    _write(tmp_path / "gt/a", [(1, 40, 40)] * 4)
    _write(tmp_path / "pred/a", [(1, 40, 40)] * 2)
    with pytest.raises(FileNotFoundError, match=r"pred/a/00002\.png is missing"):
        score_folder(_folders(tmp_path), "davis2016")
    save_labels(tmp_path / "pred/a/00002.png", np.zeros((HEIGHT, WIDTH - 1), np.uint8))
    with pytest.raises(InputError, match=r"a prediction of 159x90 pixels for an annotation of 160x90"):
        score_folder(_folders(tmp_path), "davis2016")


def test_folders_that_hold_no_masks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gt").mkdir()
    (tmp_path / "pred").mkdir()
    with pytest.raises(InputError, match="expected one folder a video"):
        score_folder(_folders(tmp_path), "sav")
    (tmp_path / "gt/a").mkdir()
    (tmp_path / "pred/a").mkdir()
    with pytest.raises(InputError, match="no PNG file"):
        score_folder(_folders(tmp_path), "sav")
    save_labels(tmp_path / "gt/a/mask_final.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="not named by a frame number"):
        score_folder(_folders(tmp_path), "sav")


def test_tables_are_written_as_csv(clips: Path, tmp_path: Path) -> None:
    objects = score_folder(_folders(clips), "sav")
    write_tables(tmp_path, objects)
    lines = (tmp_path / "objects.csv").read_text().splitlines()
    assert lines[0] == "video,object,frames,J,F,J&F,J recall,F recall,J decay,F decay"
    assert len(lines) == 1 + len(objects)
    frames = (tmp_path / "frames.csv").read_text().splitlines()
    assert len(frames) == 1 + sum(len(each.frames) for each in objects)


def test_descriptions_and_lists_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"clips": {}}')
    with pytest.raises(InputError, match=r'expected \{"videos"'):
        read_meta(tmp_path / "meta.json")
    (tmp_path / "unseen.txt").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        read_split(tmp_path / "unseen.txt", None)
