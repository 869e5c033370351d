"""The original implementation's own numbers for a very small RoboRefer."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from tests.models.golden import golden_of  # noqa: E402

CASES = (
    "case_1_rgb_resize",
    "case_2_two_rgb_resize",
    "case_3_rgb_dynamic",
    "case_4_rgbd_dynamic",
    "case_5_two_rgbd_dynamic",
    "case_6_text_only",
    "case_7_concat_dynamic",
    "case_8_rgbd_resize",
    "case_9_two_rgb_dynamic",
    "case_10_two_rgbd_dynamic_grouped",
    "case_11_two_rgbd_resize_grouped",
)
TRAINED = tuple(name for name in CASES if name.split("_")[1] not in ("8", "10", "11"))


@dataclass(frozen=True)
class Case:
    """One case: what was given, and what came of it."""

    name: str
    said: dict[str, Any]
    tensors: dict[str, np.ndarray]

    @property
    def mode(self) -> str:
        return self.said["image_aspect_ratio"]

    def has(self, kind: str) -> bool:
        return f"{kind}.pixels" in self.tensors

    def pictures(self) -> tuple[Any, ...]:
        from sightline.models.roborefer.inputs import Picture  # noqa: PLC0415

        numbers = range(len(self.said["pictures"]))
        return tuple(Picture(self.tensors[f"image_{n}.raw"], self.tensors.get(f"depth_{n}.raw")) for n in numbers)

    def asked(self) -> Any:
        """The question as it was put."""
        from sightline.models.roborefer.inputs import RoboReferSample  # noqa: PLC0415
        from sightline.models.roborefer.text_forms import Slot, Turn  # noqa: PLC0415

        parts = (*(Slot(kind) for kind in self.said["given_order"]), self.said["prompt"])
        return RoboReferSample(self.name, (Turn("user", parts),), self.pictures())

    def trained(self) -> Any:
        """The row as it was trained on."""
        from sightline.models.roborefer.inputs import RoboReferSample  # noqa: PLC0415
        from sightline.models.roborefer.text_forms import row_turns  # noqa: PLC0415
        from sightline.models.roborefer.tiling import known_mode  # noqa: PLC0415

        row = self.said["train"]["row"]
        turns = row_turns(
            [(turn["from"], turn["value"]) for turn in row["conversations"]],
            num_images=len(self.pictures()),
            num_depths=sum(picture.depth is not None for picture in self.pictures()),
            mode=known_mode(self.mode),
        )
        return RoboReferSample(self.name, turns, self.pictures())


golden = golden_of("roborefer")


@pytest.fixture(scope="session")
def read_case(golden: Path) -> Any:
    """A case by name, with the pictures of the one that it shares them with."""
    from safetensors.numpy import load_file  # noqa: PLC0415

    def read(name: str) -> Case:
        said = json.loads((golden / f"{name}.json").read_text())
        tensors = load_file(golden / f"{name}.safetensors")
        if shared := said.get("same_pictures_as"):
            tensors = load_file(golden / f"{shared}.safetensors") | tensors
        return Case(name, said, tensors)

    return read


@pytest.fixture(scope="session")
def original(golden: Path) -> Any:
    """The reference checkpoint, and its model."""
    from sightline.models.roborefer.opening import open_roborefer  # noqa: PLC0415
    from sightline.models.roborefer.weights import load_roborefer  # noqa: PLC0415

    folder = open_roborefer(golden / "checkpoint")
    return folder, load_roborefer(folder)


@pytest.fixture
def inputs_of(golden: Path) -> Any:
    """What makes tensors for a case, in a form of text."""
    from sightline.models.roborefer.inputs import RoboReferInputs  # noqa: PLC0415
    from sightline.models.roborefer.opening import open_roborefer  # noqa: PLC0415

    def make(case: Case, form: str) -> RoboReferInputs:
        folder = open_roborefer(golden / "checkpoint", image_mode=case.mode)
        return RoboReferInputs(folder.config, folder.tokenizer, form=form)  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint of random weights in the published layout. Not to be changed: copy it first."""
    from sightline.models.roborefer.weights import write_published  # noqa: PLC0415
    from tests.models.roborefer import tiny  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("roborefer")
    write_published(
        tiny.model(tiny.config()), folder / "RoboRefer-2B-SFT", tokenizer_from=tiny.tokenizer_folder(folder / "tokenizer")
    )
    return folder / "RoboRefer-2B-SFT"
