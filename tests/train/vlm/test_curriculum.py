import json

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.models.options import ModelOptions
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.curriculum import Mixed, StageMixture, Training, plan_training
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.lengths import token_counts
from sightline.train.vlm.selection import Selection
from sightline.train.vlm.taskset_source import TaskSetSource

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.train.vlm.chat import open_chat

BATCHING = Batching(tokens_per_sample=1500, rows_per_step=2)


@pytest.fixture(scope="module")
def chat(saved):
    return open_chat(saved("qwen3_vl"), ModelOptions())


@pytest.fixture(scope="module")
def sources(rooms, chat, tmp_path_factory):
    folder = tmp_path_factory.mktemp("qa")
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    words = ["Where?", "Where? " * 2000]
    talks = [[{"from": "human", "value": f"<image>{said}"}, {"from": "gpt", "value": "Here."}] for said in words]
    records = [
        {"id": f"q{i}", "image": name, "conversations": talk}
        for i, (name, talk) in enumerate(zip(["a.png", "a.png"], talks, strict=True))
    ]
    records.append({"id": "q2", "image": "none.png", "conversations": talks[0]})
    (folder / "qa.json").write_text(json.dumps(records))
    found = (TaskSetSource(rooms["t1_multi"], chat.dialect, name="rooms"), JsonSource(folder / "qa.json"))
    cache = folder / "cache"
    return found, tuple(token_counts(source, chat, cache=cache) for source in found)


def planned(sources, stages: list[StageMixture], **options) -> Training:
    opened, counts = sources
    return plan_training(opened, counts, stages=stages, batching=BATCHING, **options)


def test_a_curriculum_of_three_stages_trains_on_what_each_asks_for(sources, chat):
    stages = [
        StageMixture("positives", (Mixed("rooms", selection=Selection(visible=True)),), until_step=4),
        StageMixture(
            "balanced", (Mixed("rooms"), Mixed("qa", weight=20.0, selection=Selection(where={"id": ("q0",)}))), until_step=10
        ),
        StageMixture("negatives", (Mixed("rooms", selection=Selection(visible=False)),), until_step=14),
    ]
    training = planned(sources, stages, seed=3)
    plan = training.plan
    assert plan.stage_names == ("positives", "balanced", "negatives")
    assert plan.num_steps == 14
    assert training.admitted.dropped == ()
    taskset = sources[0][0].taskset
    visible = [
        {taskset[name].truth.visible for step in steps for name in training.ids(step)} for steps in (range(4), range(10, 14))
    ]
    assert visible == [{True}, {False}]
    assert "q0" in {name for step in range(4, 10) for name in training.ids(step)}
    for step in (0, 5, 13):
        for row, tokens in zip(plan.rows(step), plan.tokens[2 * step :], strict=False):
            lengths = [chat.label(training.sample(number)).ids.size for number in row.tolist()]
            assert sum(lengths) == tokens <= 1500
            training.check_length(int(row[0]), lengths[0])
    again = planned(sources, stages, seed=3)
    assert again.plan.digest == plan.digest
    assert again.ids(7) == training.ids(7)


def test_samples_that_cannot_be_trained_on_stop_the_plan_or_go_to_the_ledger(sources):
    stages = [StageMixture("all", (Mixed("rooms"), Mixed("qa")))]
    with pytest.raises(InputError, match=r"qa +1 +1 +\S+ +q1"):
        planned(sources, stages)
    training = planned(sources, stages, on_bad_sample="drop")
    assert [(entry.unit, entry.reason) for entry in training.admitted.dropped] == [("q1", "too_long"), ("qa#2", "unreadable")]
    assert "none.png" in training.admitted.dropped[1].detail
    names = {name for step in range(training.plan.num_steps) for name in training.ids(step)}
    assert names == set(sources[0][0].taskset.ids) | {"q0"}
    fine = [StageMixture("some", (Mixed("qa", selection=Selection(where={"id": ("q0",)})),))]
    assert planned(sources, fine).plan.num_steps == 1  # what no stage uses stops nothing


def test_a_changed_length_and_an_unknown_source_are_named(sources):
    training = planned(sources, [StageMixture("all", (Mixed("rooms"),))])
    number = int(training.plan.samples[0])
    with pytest.raises(InputError, match=r"rooms, sample 't1_multi/.*': 1 tokens, but \d+ were counted"):
        training.check_length(number, 1)
    with pytest.raises(InputError, match="stage 'all': no source 'room'; there are rooms, qa"):
        planned(sources, [StageMixture("all", (Mixed("room"),))])
    assert np.unique(training.plan.samples).size == len(sources[0][0])
