"""What a run writes down for people: answers by step, first batches of stages, and the names that task sets have in them."""

import shutil

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it
from sightline.errors import InputError
from sightline.train.vlm.shown import BATCHES, DecodedBatch, Shown, keep, read_lines


def shown(step: int, said: str) -> Shown:
    return Shown(step=step, taskset="t2a", id="a", said=said, truth="b", correct=False)


def test_lines_of_a_step_take_the_place_of_those_of_it_and_later_ones(tmp_path):
    path = tmp_path / "samples.jsonl"
    for step, said in ((10, "x"), (20, "y"), (30, "z"), (20, "again")):
        keep(path, [shown(step, said)], step=step)
    assert [(line.step, line.said) for line in read_lines(path, Shown)] == [(10, "x"), (20, "again")]


def test_a_line_that_is_none_is_named(tmp_path):
    keep(tmp_path / "samples.jsonl", [shown(1, "x")], step=1)
    with (tmp_path / "samples.jsonl").open("a") as file:
        file.write("no\n")
    with pytest.raises(InputError, match=r"samples\.jsonl, line 2"):
        read_lines(tmp_path / "samples.jsonl", Shown)


def test_the_first_batch_of_each_stage_is_written_down_with_what_is_supervised(tmp_path, saved, rooms):
    pytest.importorskip("lightning", reason="needs the models and train extras")
    from sightline.train.vlm.prepare import prepare  # noqa: PLC0415
    from tests.train.vlm.small import composed, settings_of, trained  # noqa: PLC0415

    short = ("trainer.max_steps=3", "trainer.accumulate=2", "stages=[{name: one, until_step: 2},{name: two}]")
    done = trained(tmp_path, saved("qwen3_vl"), rooms["t2a"].path, *short)
    batches = read_lines(done.run / BATCHES, DecodedBatch)
    assert [(batch.step, batch.stage) for batch in batches] == [(1, "one"), (3, "two")]
    training = prepare(settings_of(composed(tmp_path, saved("qwen3_vl"), rooms["t2a"].path, *short))).training
    for batch in batches:
        planned = training.ids(batch.step - 1)
        assert 0 < len(batch.samples) < len(planned)  # the first of two batches of the update
        assert {sample.id for sample in batch.samples} < set(planned)
        for sample in batch.samples:
            (learnt,) = [stretch.text for stretch in sample.stretches if stretch.supervised]
            assert "NOT_VISIBLE" in learnt or "[" in learnt
            assert sum(int(stretch.text.rpartition(" x ")[2]) for stretch in sample.stretches if " x " in stretch.text) > 0


def test_task_sets_of_one_name_are_told_apart_by_their_parents(tmp_path, rooms):
    pytest.importorskip("transformers", reason="needs the models extra")
    from sightline.train.vlm.evaluation import held_tasksets  # noqa: PLC0415

    places = [tmp_path / parent / "t2a-validation" for parent in ("x3", "rooms", "more/rooms")]
    folders = [str(shutil.copytree(rooms["t2a"].path, place)) for place in places]
    assert list(held_tasksets(folders[:1])) == ["t2a-validation"]
    assert list(held_tasksets([*folders[:2], str(rooms["t1_multi"].path)])) == [
        "x3/t2a-validation",
        "rooms/t2a-validation",
        rooms["t1_multi"].path.name,
    ]
    with pytest.raises(InputError, match="two folders are called rooms/t2a-validation"):
        held_tasksets(folders)


def test_a_wrong_name_of_a_task_set_leaves_no_folder_that_would_have_to_be_deleted(tmp_path, saved, rooms):
    pytest.importorskip("lightning", reason="needs the models and train extras")
    from tests.train.vlm.small import trained  # noqa: PLC0415

    with pytest.raises(FileNotFoundError, match="nowhere"):
        trained(tmp_path, saved("qwen3_vl"), rooms["t2a"].path, f"validation.tasksets=[{tmp_path}/nowhere]")
    assert not (tmp_path / "run").exists()
