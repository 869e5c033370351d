"""The page on saved masks: what stands in it, and what is refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run
from sightline.errors import InputError
from sightline.evaluate.vos.protocols import ObjectScores
from sightline.evaluate.vos.rivals import overall, paired, sequence_scores
from sightline.report.vos.frames import worst_frames
from sightline.report.vos.page import TrackerRun, write_vos_report
from tests.report.vos.world import scored_runs, write_trackers

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trackers(tmp_path_factory.mktemp("trackers"))


def test_the_page_has_a_row_for_each_run_and_a_part_for_each_sequence(world: Path, tmp_path: Path) -> None:
    page = write_vos_report(scored_runs(world, "good", "poor"), tmp_path / "out", protocol="sav", images=world / "images")
    html = page.read_text()
    assert re.findall(r"<h3>(.*?)</h3>", html) == ["calm", "fast"]  # worst first by the first run
    # "calm": frames 1 to 4 count, one of them 0: 75; "fast" 100; the mean 87.5
    assert "87.5 [75.0, 100.0] (2)" in html
    assert html.count('class="curve run-0"') == html.count('class="curve run-1"') == 2
    assert html.count('class="overlay"') == 4
    assert "good: frame 00003, object 1, J&amp;F 0.0" in html
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", html)
    assert {path.name.split("-")[0] for path in (tmp_path / "out/assets").glob("*.webp")} == {"frame"}


def test_the_pixels_of_the_overlay_are_counted(world: Path, tmp_path: Path) -> None:
    html = write_vos_report(scored_runs(world, "good"), tmp_path / "out", protocol="sav").read_text()
    assert "<title>calm, frame 00003, object 1: TP 0, FN 400, FP 0 pixels</title>" in html
    assert ">FN</text>" in html
    assert ">FP</text>" not in html
    assert "Right minus A" not in html.partition("<table>")[2]  # nothing to compare with


def _scores(video: str, *values: float, object_id: str = "1", empty: tuple[bool, ...] = ()) -> ObjectScores:
    both = np.array(values)
    frames = tuple(f"{number:05d}.png" for number in range(len(values)))
    return ObjectScores(video, object_id, frames, both, both, empty or (False,) * len(values))


def test_differences_are_paired_by_object() -> None:
    a = [_scores("x", 0.5, 0.7), _scores("y", 0.9)]
    b = [_scores("y", 0.4), _scores("x", 0.5, 0.5)]
    found = paired(a, b)
    assert (found.n, found.num_groups) == (2, 2)
    assert found.difference.value == pytest.approx((0.1 + 0.5) / 2)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.1, 0.5))
    assert found.p == pytest.approx(0.5)  # two videos that differ: not below 2 ** -1
    with pytest.raises(InputError, match="do not share y/1"):
        paired(a, a[:1])


def test_means_are_over_objects_and_sequences_over_their_own() -> None:
    objects = [_scores("x", 0.2), _scores("x", 0.6, object_id="2"), _scores("y", 1.0), _scores("z")]
    assert overall(objects).value == pytest.approx(0.6)
    assert overall(objects).n == 3  # z has no frame that counts
    assert sequence_scores(objects) == {"x": pytest.approx(0.4), "y": 1.0}


def test_the_worst_frame_is_one_in_which_the_object_is_there() -> None:
    objects = [_scores("x", 0.5, 0.0, 0.0, empty=(False, True, False)), _scores("x", 0.0, object_id="2")]
    found = worst_frames(objects)["x"]
    assert (found.object_id, found.frame, found.score) == ("1", "00002.png", 0.0)


def test_names_and_files_are_shown_as_text(world: Path, tmp_path: Path) -> None:
    (first,) = scored_runs(world, "good")
    named = TrackerRun(f"{EVIL}\u202e", first.objects, first.folders)
    html = write_vos_report([named], tmp_path / "out", protocol="sav").read_text()
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩" in html


def test_what_cannot_be_shown_is_refused_and_leaves_nothing(world: Path, tmp_path: Path) -> None:
    runs = scored_runs(world, "good")
    with pytest.raises(InputError, match="each with a name of its own"):
        write_vos_report([*runs, *runs], tmp_path / "out", protocol="sav")
    with pytest.raises(FileNotFoundError, match=r"calm/00003\.jpg is missing: --images needs"):
        write_vos_report(runs, tmp_path / "out", protocol="sav", images=tmp_path)
    small = tmp_path / "images" / "calm"
    small.mkdir(parents=True)
    Image.new("RGB", (30, 20)).save(small / "00003.jpg")
    with pytest.raises(InputError, match="a picture of 30x20 for masks of 60x40"):
        write_vos_report(runs, tmp_path / "out", protocol="sav", images=tmp_path / "images")
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep")
    with pytest.raises(InputError, match="not a report"):
        write_vos_report(runs, tmp_path / "mine", protocol="sav")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "keep"


def test_the_command_writes_the_page_and_writes_it_again(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["eval-vos", str(world / "good"), str(world / "gt"), "--protocol", "sav", "--workers", "1", "--json"]
    more = ["--report", str(tmp_path / "out"), "--versus", f"no memory={world / 'poor'}", "--name", "full"]
    for _ in range(2):
        assert run([*line, *more]) == 0
    assert json.loads(capsys.readouterr().out.split("\n}\n")[0] + "}")["protocol"] == "sav"
    html = (tmp_path / "out/index.html").read_text()
    assert "Sightline report: full, no memory" in html
    assert run([*line, "--versus", "x=y"]) == 2
    assert "give --report DIR as well" in " ".join(capsys.readouterr().err.split())
