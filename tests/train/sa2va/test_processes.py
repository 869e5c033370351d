"""Two real processes train what one trains for the same conversations, and go on together after one of them was killed."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.demo.learning import Lesson  # noqa: E402
from sightline.files import write_json  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from tests.train.sa2va.small import exact_rows, trained  # noqa: E402
from tests.train.sa2va.two import by_two  # noqa: E402

LORA = (
    "model.parts={vision: {how: frozen}, projector: {how: frozen}, language_model: {how: lora}}",
    "model.lora={rank: 4, alpha: 8.0, dropout: 0.2}",
)


def asked(lesson: Lesson) -> tuple[str, ...]:
    return (f"validation.tasksets=[{lesson.validation}]", "validation.num_examples=2", "evaluation.every=2")


def assert_equal_steps(one: Path, two: Path, *, steps: int) -> None:
    """The same losses and gradients up to the rounding of sums in another order."""
    rows = [read_metrics(run / "metrics.csv") for run in (one, two)]
    assert [row["step"] for row in rows[1]] == list(range(1, steps + 1))
    for alone, shared in zip(*rows, strict=True):
        for name, value in alone.items():
            if "loss" in name:
                assert shared[name] == pytest.approx(value, rel=1e-5, abs=1e-7), name
        assert shared["grad_norm"] == pytest.approx(alone["grad_norm"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        ("mode.name=official", "losses.points=64"),
        ("mode.name=consistent", "trainer.accumulate=2", "model.grounding.sam2=[mask_decoder,memory_attention]", *LORA),
    ],
)
def test_two_processes_train_as_one_does(tmp_path, lesson, how):
    given = ("trainer.max_steps=3", *how)
    one = trained(tmp_path / "one", lesson, "data.batch_size=2", *given)
    assert by_two(tmp_path / "two", lesson, *given, "data.num_workers=1") == (0, "")
    assert_equal_steps(one.run, tmp_path / "two/run", steps=3)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, lesson) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    assert by_two(root, lesson, "mode.name=consistent", *asked(lesson)) == (0, "")
    assert len(exact_rows(root / "run")) == 4
    return root / "run"


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["0:publish:3", pytest.param("1:losses:3", marks=pytest.mark.long)])
def test_two_processes_go_on_after_one_was_killed(tmp_path, lesson, undisturbed, killed):
    given = ("mode.name=consistent", *asked(lesson))
    code, _ = by_two(tmp_path, lesson, *given, killed=killed)
    assert code != 0
    assert len(exact_rows(tmp_path / "run")) < 4
    assert by_two(tmp_path, lesson, *given, "resume=last") == (0, "")
    assert exact_rows(tmp_path / "run") == exact_rows(undisturbed)
    assert (tmp_path / "run/samples.jsonl").read_bytes() == (undisturbed / "samples.jsonl").read_bytes()


@pytest.mark.slow
def test_a_process_whose_conversations_have_no_masks_or_cannot_be_read_takes_part(tmp_path, lesson):
    """Each process has one conversation of a batch: a clip, words alone, or one whose picture is not there, and so none."""
    talk = [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "It is the red one."}]
    seen = [{"from": "human", "value": "<image>\nWhich one?"}, talk[1]]
    write_json(tmp_path / "chat.json", [{"id": "hello", "conversations": talk}])
    write_json(tmp_path / "lost.json", [{"id": "lost", "image": "lost.png", "conversations": seen}])
    (tmp_path / "all.yaml").write_text(
        f"clips: {{taskset: {lesson.train}}}\nchat: {{annotation_path: chat.json}}\nlost: {{annotation_path: lost.json}}\n"
    )
    mixed = ("data.path=null", f"data.registry={tmp_path / 'all.yaml'}", "data.mixture=[clips,chat*3,lost*3]")
    given = (*mixed, "data.on_missing=skip", "trainer.max_steps=4")
    code, said = by_two(tmp_path, lesson, *given)
    assert code == 0, said
    rows = read_metrics(tmp_path / "run/metrics.csv")
    # batch 0 has the lost one twice, batch 1 once beside a clip, the others a clip and words
    assert [row["loss"] > 0 for row in rows] == [False, True, True, True]
    learnt = [sorted(name.removeprefix("loss of ") for name in row if name.startswith("loss of ")) for row in rows]
    assert learnt == [[], ["clips"], ["chat", "clips"], ["chat", "clips"]]
    ledger = [json.loads(line) for line in (tmp_path / "run/ledger.jsonl").read_text().splitlines()]
    assert sorted(entry["unit"] for entry in ledger) == ["batch 0", "batch 1"]  # both processes say the same of batch 0
    assert all("lost.png" in entry["detail"] for entry in ledger)
