"""The reference scripts' result files of MeViS and ReVOS, from a tree in ReVOS's layout through a build, a run and `score`."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.evaluate.protocols.referring_original import ReferringSummary, summarise_referring
from sightline.evaluate.run import describe_run, open_run
from sightline.models import get_model
from sightline.tasks.footage import Sampling
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import MaskTrack, Prediction, Reading
from tests.davis_tree import save_picture
from tests.evaluate.sa2va_scores import read_scores, to_rle


@pytest.fixture(scope="module")
def run(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference's predictions as a run on its clips."""
    videos = read_scores(shared_data, "rvos/meta_expressions.json")["videos"]
    given = shared_data.parent / "golden" / "sa2va" / "metrics" / "rvos"
    folder = tmp_path_factory.mktemp("revos")
    root = folder / "data"
    root.mkdir()
    for name, target in (
        ("meta_expressions.json", "meta_expressions_valid_.json"),
        ("mask_dict.json", "mask_dict.json"),
        ("mask_dict_foreground.json", "mask_dict_foreground.json"),
    ):
        shutil.copy(given / name, root / target)
    for video, entry in videos.items():
        for seed, stem in enumerate(entry["frames"]):
            place = root / "JPEGImages" / video / f"{stem}.jpg"
            save_picture(place, seed, width=entry["width"], height=entry["height"])
    options = ReferOptions(sampling=Sampling(policy="all"))
    request = BuildRequest(reader="revos", root=str(root), splits=("valid",), tasks=("refer_mask_track",), options=options)
    build(request, folder / "tasks", workers=1)
    taskset = TaskSet(folder / "tasks" / "refer_mask_track-valid")
    predictions = read_scores(shared_data, "rvos/predictions.json")
    open_run(folder / "run", describe_run(taskset, get_model("center")))
    lines: list[bytes] = []
    for name in taskset.ids:
        _, video, number = name.split("/")
        masks = tuple(to_rle(mask) for mask in predictions[video][number]["prediction_masks"])
        reading = Reading(status="ok", answer=MaskTrack(frames=masks), num_found=len(masks))
        lines.append(msgspec.json.encode(Prediction(id=name, reading=reading)) + b"\n")
    (folder / "run" / "predictions.jsonl").write_bytes(b"".join(lines))
    assert len(lines) == 4
    return folder / "run"


def percent(summary: ReferringSummary) -> dict[str, float]:
    return {figure.name: 100 * figure.value for figure in summary.figures if figure.value is not None}


def test_mevis_scores_are_those_of_the_official_script(run: Path, shared_data: Path) -> None:
    expected = read_scores(shared_data, "rvos/mevis_scores.json")["result_file"]
    found = percent(summarise_referring(run, "mevis-original"))
    assert {name: round(value, 2) for name, value in found.items()} == expected


def test_published_revos_scores_are_those_of_the_official_script(run: Path, shared_data: Path) -> None:
    expected = read_scores(shared_data, "rvos/revos_scores.json")["result_file"]
    found = percent(summarise_referring(run, "revos-published"))
    for row, theirs in (("referring", "referring"), ("reasoning", "reason"), ("overall", "overall")):
        for column, name in (("J", "J"), ("F", "F"), ("JF", "J&F"), ("A", "A"), ("R", "R")):
            assert found[f"{name} {row}"] == pytest.approx(expected[theirs][column], abs=1e-12), (row, column)


def test_without_the_switches_the_truth_is_the_union_and_nothing_is_rounded(run: Path, shared_data: Path) -> None:
    theirs = read_scores(shared_data, "rvos/revos_scores.json")["per_expression_with_union_ground_truth"]
    found = percent(summarise_referring(run, "revos-original"))
    for row, names in (("referring", ("video_a_0", "video_b_0")), ("reasoning", ("video_a_1", "video_b_1"))):
        for column in ("J", "F", "A", "R"):
            mean = 100 * float(np.mean([theirs[name][column] for name in names]))
            assert found[f"{column} {row}"] == pytest.approx(mean, abs=1e-9), (row, column)
    assert found["R referring"] > percent(summarise_referring(run, "revos-published"))["R referring"] + 30
    assert json.loads((run / "summary.revos-published.json").read_text())["protocol"] == "revos-published"
