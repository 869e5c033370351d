"""Folders of trainings in their true form, without a training: written by the modules that a training writes them with."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from sightline.files import write_json
from sightline.train.checkpoints import Pointer
from sightline.train.folder import Resumption, RunRecord
from sightline.train.ledger import Ledger
from sightline.train.metrics import MetricsFile
from sightline.train.vlm.shown import BATCHES, SAMPLES, DecodedBatch, DecodedSample, Shown, Stretch, keep
from sightline.types import LedgerEntry
from tests.report.world import World

STAGES = [{"name": "easy", "until_step": 20}, {"name": "<i>hard</i>", "until_step": None}]
SETTINGS = {
    "trainer": {"max_steps": 40},
    "rates": {"lr": 1e-3},
    "evaluation": {"metric": "joint_accuracy"},
    "stages": STAGES,
    "run": {"dir": "x"},
}
PARTS = [
    {"name": "vision", "how": "frozen", "lr": 1e-2, "num_tensors": 3, "num_parameters": 1000, "num_trained": 0},
    {"name": "projector", "how": "full", "lr": 5e-4, "num_tensors": 2, "num_parameters": 200, "num_trained": 200},
    {"name": "language_model", "how": "lora", "lr": 1e-3, "num_tensors": 9, "num_parameters": 5000, "num_trained": 64},
]
EVIL = "</script><img src=x onerror=alert(1)>\u202e"


def write_training(
    folder: Path,
    rows: Iterable[tuple[int, Mapping[str, float]]],
    *,
    settings: Mapping[str, object] = SETTINGS,
    resumed: Sequence[Resumption] = (),
    best: Pointer | None = None,
) -> Path:
    """A run with these rows of numbers."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(settings)))
    record = RunRecord(
        family="vlm",
        config="config",
        overrides=("rates.lr=1e-3",),
        config_digest="0" * 64,
        fingerprints={"data.rooms": "5" * 32},
        started="2026-11-21T10:00:00.000000+00:00",
        versions={"sightline": "0"},
        resumed=tuple(resumed),
    )
    write_json(folder / "run.json", record)
    metrics = MetricsFile(folder / "metrics.csv", start=0)
    for step, numbers in rows:
        metrics.append(step, numbers)
    if best is not None:
        write_json(folder / "checkpoints" / "best.json", best)
    return folder


def numbers(step: int) -> dict[str, float]:
    """What a training of a VLM says of an update: the loss falls from 4 to 2, the rates are those of the schedule."""
    loss = 4 - 2 * step / 40
    own = {"loss": loss, "loss/answer": loss, "loss of rooms": loss + 0.5, "loss of x3": loss - 0.5, "padding": 0.01, "lr": 1e-3}
    own |= {"stage": float(step > 20), "grad_norm": 1.5, "memory_gb": 2.0, "stall": 0.25, "tokens_per_s": 1000.0 + step}
    if step % 20 == 0:
        own |= {
            "eval/joint_accuracy": 0.5 if step == 20 else 0.4,
            "eval/room/set/joint_accuracy": 0.6,
            "eval/x3/joint_accuracy": 0.3,
        }
    return own


def full_training(folder: Path, world: World) -> Path:
    """A run with all that one can have; its evaluations are runs of `world`."""
    run = write_training(
        folder,
        ((step, numbers(step)) for step in range(2, 41, 2)),
        resumed=[Resumption(at="2026-11-21T11:30:00+00:00", step=12, changed=("trainer.devices: was 1, now 2",))],
        best=Pointer(checkpoint="step-00000020", metric="joint_accuracy", value=0.5),
    )
    write_json(run / "parts.json", PARTS)
    for step in (20, 40):
        place = run / "evaluation" / f"step-{step:08d}" / "multi"
        shutil.copytree(world.root / "run-vlm", place)
        keep(run / SAMPLES, shown(world, step), step=step)
    samples = [
        DecodedSample(
            "room_1",
            "rooms",
            2,
            0,
            60,
            3,
            (Stretch("Where is it? ", False), Stretch(f"[(1, 2)]{EVIL}", True), Stretch("\n", False)),
        )
    ]
    for step, stage in ((1, "easy"), (21, "<i>hard</i>")):
        keep(run / BATCHES, [DecodedBatch(step=step, stage=stage, samples=tuple(samples))], step=step)
    ledger = Ledger(run / "ledger.jsonl")
    for step in (3, 4):
        ledger.add(LedgerEntry(unit=f"step {step}", reason="sample_not_loaded", detail="gone"))
    return run


def shown(world: World, step: int, *, count: int = 4) -> list[Shown]:
    """The first answers of the run of `world`, as a training would write them down."""
    from sightline.evaluate.run import read_predictions  # noqa: PLC0415

    predictions = [each for each, _ in zip(read_predictions(world.root / "run-vlm"), range(count), strict=False)]
    return [
        Shown(step=step, taskset="multi", id=each.id, said=each.text or "", truth="[(1, 2)]", correct=number == 0)
        for number, each in enumerate(predictions)
    ]
