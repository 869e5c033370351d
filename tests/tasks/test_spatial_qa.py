"""Spatial QA as examples: media slots, frames of videos, truths, and media that are not there."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.export.rendered import render
from sightline.tasks.frame_rules import FrameRule
from sightline.tasks.spatial_qa import TASK, QaOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, Choice, Example, ImagePart, Number, TextPart, VideoPart
from tests.qa_trees import LETTER, SHORT, mindcube_row, mix_row, vsi_rows, write_lines, write_mindcube, write_mix, write_vsi
from tests.video_file import write_video


def made(name: str, root: Path, split: str, out: Path, options: QaOptions = QaOptions()) -> TaskSet:  # noqa: B008 - frozen
    request = BuildRequest(reader=name, root=str(root), splits=(split,), tasks=(TASK,), options=options)
    return TaskSet(Path(build(request, out)[0].path))


def first(taskset: TaskSet) -> Example:
    return taskset[0]


def test_a_question_is_a_clip_its_words_and_a_form(tmp_path: Path) -> None:
    taskset = made("vsi-bench", write_vsi(tmp_path / "root"), "test", tmp_path / "sets")
    counted, chosen = taskset[0], taskset[1]
    clip, words, form = counted.question.prompt
    assert clip == VideoPart(image_indices=(0, 1, 2, 3, 4), times_s=(0.0, 1.0, 2.0, 3.0, 4.0))  # of a folder one a second
    assert words == TextPart(text="\nThese are frames of a video.\nHow many chair(s) are in this room?\n")
    assert form == AnswerForm(shape="number", image_index=0, words=SHORT)
    assert counted.truth.answer == Number(value=4)
    assert (counted.group, counted.tier, counted.split) == ("scannetpp/7b6477cb95", "object_counting", "test")
    assert chosen.question.form == AnswerForm(shape="choice", image_index=0, options=("A", "B", "C", "D"), words=LETTER)
    assert chosen.truth.answer == Choice(value="B")
    assert chosen.evidence["option_B"] == "sofa"
    assert [panel.view_id for panel in chosen.question.panels] == [f"{number:06d}" for number in range(5)]


def test_the_prompt_is_the_authors_or_the_dialects(tmp_path: Path) -> None:
    root = write_vsi(tmp_path / "root")
    theirs = first(made("vsi-bench", root, "test", tmp_path / "a"))
    assert render(theirs, get_dialect("qwen3")).segments[-1] == (
        f"\nThese are frames of a video.\nHow many chair(s) are in this room?\n{SHORT}"
    )
    ours = first(made("vsi-bench", root, "test", tmp_path / "b", QaOptions(words="dialect")))
    assert str(render(ours, get_dialect("qwen3")).segments[-1]).endswith("?\nAnswer with one number only.")
    assert render(ours, get_dialect("qwen3")).answer == "4"


def test_frames_of_a_video_file_are_pictures_of_the_task_set(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_lines(root / "test.jsonl", [vsi_rows()[0], vsi_rows()[0] | {"id": 9}])
    write_video(root / "scannetpp" / "7b6477cb95.mp4", num_frames=11)
    taskset = made("vsi-bench", root, "test", tmp_path / "sets", QaOptions(frames=FrameRule(num_frames=3)))
    one, other = taskset[0], taskset[1]
    assert one.question.clip == VideoPart(image_indices=(0, 1, 2), times_s=(0.0, 0.208, 0.417))  # frames 0, 5, 10 of 24 a second
    assert [panel.view_id for panel in one.question.panels] == ["000000", "000005", "000010"]
    assert one.question.images == other.question.images
    levels = [int(taskset.read_rgb(image).mean()) for image in one.question.images]
    assert all(abs(level - expected) <= 4 for level, expected in zip(levels, (20, 70, 120), strict=True))
    assert len(list((taskset.path / "media").rglob("*.png"))) == 3


def test_pictures_stand_where_their_tags_are(tmp_path: Path) -> None:
    example = first(made("mindcube", write_mindcube(tmp_path / "root"), "train", tmp_path / "sets"))
    assert example.question.prompt[:5] == (
        ImagePart(image_index=0),
        TextPart(text="\n"),
        ImagePart(image_index=1),
        TextPart(text="\n"),
        TextPart(text=mindcube_row()["question"]),
    )
    assert example.question.form.words == ""  # the file says nothing: the dialect does


def test_media_that_are_not_there_stop_the_build_or_are_in_the_ledger(tmp_path: Path) -> None:
    root = write_vsi(tmp_path / "root")
    write_lines(root / "test.jsonl", [vsi_rows()[0] | {"id": 2, "scene_name": "0123456789"}, vsi_rows()[0]])
    with pytest.raises(InputError, match=r"0123456789\.mp4 is not there.*--missing-media drop"):
        made("vsi-bench", root, "test", tmp_path / "a")
    assert not list((tmp_path / "a").glob(".building*"))  # the same folder may be used with another option
    dropped = made("vsi-bench", root, "test", tmp_path / "a", QaOptions(missing_media="drop"))
    assert (len(dropped), dropped.manifest.dropped) == (1, {"media_missing": 1})
    kept = made("vsi-bench", root, "test", tmp_path / "b", QaOptions(missing_media="keep"))
    assert (len(kept), kept.manifest.altered) == (2, {"fewer_frames": 1, "media_missing": 1})  # the other video has 5 of 16
    blind = first(kept)
    assert (blind.question.images, blind.question.slots) == ((), ())
    assert render(blind, get_dialect("qwen3")).with_tokens().startswith("These are frames of a video.")


def test_a_video_that_cannot_be_read_drops_its_questions_alone(tmp_path: Path) -> None:
    root = write_vsi(tmp_path / "root")
    (root / "scannetpp" / "7b6477cb95.mp4").write_bytes(b"no video")
    taskset = made("vsi-bench", root, "test", tmp_path / "sets")
    assert (len(taskset), taskset.manifest.dropped) == (1, {"media_unusable": 1})


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    root = write_mix(tmp_path / "root")
    write_lines(root / "many.jsonl", [mix_row() | {"id": str(number)} for number in range(9)])
    request = BuildRequest(reader="spatial-mllm", root=str(root), splits=("many",), tasks=(TASK,), options=QaOptions())
    one, two = (build(request, tmp_path / str(workers), workers=workers)[0].manifest for workers in (1, 2))
    assert one.files == two.files


def test_a_perfect_answer_reads_back(tmp_path: Path) -> None:
    taskset = made("vsi-bench", write_vsi(tmp_path / "root"), "test", tmp_path / "sets", QaOptions(words="dialect"))
    for example in taskset:
        dialect = get_dialect("qwen25")
        rendered = render(example, dialect)
        assert dialect.decode(rendered.answer, example.question.form, []).answer == example.truth.answer


def test_the_command_builds_exports_and_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_vsi(tmp_path / "root")
    sets = tmp_path / "sets"
    arguments = ["build", "qa", "--data", "vsi-bench", "--root", str(root), "--out", str(sets), "--workers", "1", "--json"]
    assert run(arguments) == 0
    (built,) = json.loads(capsys.readouterr().out)
    assert built["manifest"]["num_examples"] == 2
    assert run(["export", "qwen-records", str(sets / "spatial_qa-test"), "--out", str(tmp_path / "rows"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"spatial_qa-test.jsonl": 2}
    assert run([*arguments[:3], "vsi-bech", *arguments[4:]]) == 2
    assert "Did you mean 'vsi-bench'" in capsys.readouterr().err
    assert run(["predict", str(sets / "spatial_qa-test"), "--model", "center", "--out", str(tmp_path / "run")]) == 2
    assert "it cannot answer with a number" in capsys.readouterr().err


def test_other_files_of_the_root_are_not_opened(tmp_path: Path) -> None:
    root = write_mix(tmp_path / "root")
    (root / "broken.json").write_text("[{")
    assert len(made("spatial-mllm", root, "spatial-mllm-mix-133k", tmp_path / "sets")) == 1
