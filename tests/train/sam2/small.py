"""Settings of a training that takes a moment: the tiny network at 64 pixels on the two videos of `trees`."""

from pathlib import Path

from sightline.train.config.compose import Composed, compose
from sightline.train.config.typed import typed
from sightline.train.sam2.settings import Sam2Settings
from tests.train.sam2.trees import write_json

OVERRIDES = (
    "model.image_size=64",
    "data.clips.num_frames=3",
    "data.clips.gaps=[{from_step: 0, smallest: 1, largest: 1}]",
    "data.batch_size=2",
    "data.prepared_mb=0",
    "trainer.max_steps=2",
    "trainer.log_every=1",
    "schedule.warmup_steps=0",
    "evaluation.every=0",
    "checkpoints.every=1",
    "logger=csv",
)


def composed(root: Path, *overrides: str, config_name: str = "tiny") -> Composed:
    """`tiny` on videos under `root`, which are written if they are not there, in the run folder `root/run`."""
    path = root / "videos.json"
    if not path.exists():
        write_json(root)
    own = {each.partition("=")[0]: each for each in (*OVERRIDES, f"data.train_path={path}", f"run.dir={root / 'run'}", *overrides)}
    return compose("sam2", list(own.values()), config_name=config_name)


def settings(root: Path, *overrides: str) -> Sam2Settings:
    return typed(composed(root, *overrides).values, Sam2Settings)
