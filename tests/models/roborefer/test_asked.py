"""RoboRefer in the registry: asked like any other model, with and without depth."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from loguru import logger  # noqa: E402

from sightline.depth_codecs import inverse_picture  # noqa: E402
from sightline.dialects import get_dialect  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.evaluate.predict import predict  # noqa: E402
from sightline.evaluate.run import read_predictions, read_run  # noqa: E402
from sightline.models import ModelOptions, NotApplicable, get_model  # noqa: E402
from sightline.models.roborefer.learned import forget, what_it_learned  # noqa: E402
from sightline.models.roborefer.questions import DepthFrom, sample_of  # noqa: E402
from sightline.models.roborefer.text_forms import Slot  # noqa: E402
from sightline.tasks.crossview import CrossViewOptions  # noqa: E402
from sightline.taskset.build import BuildRequest, build  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.types import Question  # noqa: E402

SHORT = ModelOptions(max_new_tokens=6)
DIALECT = get_dialect("roborefer")


@pytest.fixture
def questions(rooms: Mapping[str, TaskSet]) -> list[Question]:
    return [example.question for example in rooms["t1_multi"]][:4]


@pytest.fixture
def warned() -> Iterator[list[str]]:
    found: list[str] = []
    number = logger.add(lambda message: found.append(str(message)), format="{message}")
    yield found
    logger.remove(number)


def spec(folder: Path, query: str = "") -> str:
    return f"roborefer:{folder}?{query}"


def test_a_run_is_predicted_and_says_what_was_asked(saved: Path, rooms: Mapping[str, TaskSet], tmp_path: Path) -> None:
    model = get_model(spec(saved, "mode=resize&depth=own"), SHORT)
    predict(rooms["t1_multi"], model, tmp_path / "run", limit=3)
    assert len(list(read_predictions(tmp_path / "run"))) == 3
    info = read_run(tmp_path / "run")
    assert (info.model, info.dialect) == ("RoboRefer-2B-SFT", "roborefer")
    said = info.description
    assert (said["mode"], said["depth"], said["form"], said["dtype"]) == ("resize", "own", "consistent", "float32")
    assert said["learned"] == {"stage": "sft", "points": True, "not_visible": False}


@pytest.mark.parametrize(
    "query", ["", "mode=resize", "mode=resize&depth=own", "form=published", "max_tiles=4&form=published&depth=own"]
)
def test_answers_do_not_depend_on_the_batch(
    query: str, saved: Path, questions: list[Question], rooms: Mapping[str, TaskSet]
) -> None:
    model: Any = get_model(spec(saved, query), SHORT)
    together = model.answer(questions, rooms["t1_multi"])
    assert [said for question in questions for said in model.answer([question], rooms["t1_multi"])] == together
    assert all(said.exposure.num_image_tokens > 0 for said in together)


def test_depth_is_seen(saved: Path, questions: list[Question], rooms: Mapping[str, TaskSet]) -> None:
    plain, deep = (get_model(spec(saved, f"mode=resize&depth={depth}"), SHORT) for depth in ("no", "own"))
    said: list[Any] = [model.answer(questions[:1], rooms["t1_multi"])[0] for model in (plain, deep)]
    numbers = [each.exposure.num_image_tokens for each in said]
    assert numbers == [2 * 5, 4 * 5]  # two pictures; two pictures with depth; four tokens and a newline each


def test_depth_is_the_panels_own_in_the_codec(questions: list[Question], rooms: Mapping[str, TaskSet]) -> None:
    (question, *_), taskset = questions, rooms["t1_multi"]
    sample = sample_of(question, taskset, dialect=DIALECT, form="consistent", depth=DepthFrom(None))
    for index, picture in enumerate(sample.pictures):
        assert np.array_equal(picture.rgb, taskset.read_rgb(question.images[index]))
        ref = next(panel.depth for panel in question.panels if panel.image_index == index)
        assert ref is not None
        assert np.array_equal(np.asarray(picture.depth), inverse_picture(taskset.read_depth(ref)))
    assert sample.turns[0].parts[:4] == (Slot("image"), Slot("depth"), Slot("image"), Slot("depth"))
    assert "image 2" in str(sample.turns[0].parts[4])  # words name what stands in front


def test_in_the_published_form_pictures_stand_where_the_words_have_them(
    questions: list[Question], rooms: Mapping[str, TaskSet]
) -> None:
    (sample,) = (sample_of(question, rooms["t1_multi"], dialect=DIALECT, form="published") for question in questions[:1])
    kinds = ["slot" if isinstance(part, Slot) else "words" for part in sample.turns[0].parts]
    assert kinds.count("slot") == 2
    assert kinds[:2] != ["slot", "slot"]


def test_a_question_without_depth_stops_the_run_or_goes_without(
    saved: Path, questions: list[Question], rooms: Mapping[str, TaskSet]
) -> None:
    without = tuple(msgspec.structs.replace(panel, depth=None) for panel in questions[0].panels[:1]) + questions[0].panels[1:]
    bare = msgspec.structs.replace(questions[0], panels=without)
    with pytest.raises(InputError, match=r"no depth for picture 1 \(the task set has none\).*lacking=rgb"):
        get_model(spec(saved, "depth=own"), SHORT).answer([bare], rooms["t1_multi"])
    (said,) = get_model(spec(saved, "mode=resize&depth=own&lacking=rgb"), SHORT).answer([bare], rooms["t1_multi"])
    assert said.exposure.num_image_tokens == 10  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]


def test_a_folder_of_maps_has_to_be_one(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a complete folder of depth maps"):
        get_model(spec(saved, f"depth={tmp_path}"), SHORT)


def test_a_depth_align_checkpoint_is_warned_about_in_the_log_and_in_the_run(
    saved: Path, rooms: Mapping[str, TaskSet], tmp_path: Path, warned: list[str]
) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "RoboRefer-2B-Depth-Align"))
    model = get_model(spec(folder), SHORT)
    model.check(rooms["t1_multi"])
    assert len(warned) == 1
    assert "never learnt to point" in warned[0]
    assert "never learnt to point" in model.describe()["warning"]


def test_what_was_trained_is_read_from_the_config_before_the_name(tmp_path: Path) -> None:
    fields = {"tune_depth_projector": True, "tune_language_model": False, "tune_mm_projector": False} | dict.fromkeys(
        ("tune_vision_tower", "tune_depth_tower"), False
    )
    assert what_it_learned(tmp_path / "mine", fields).stage == "depth-align"
    assert what_it_learned(tmp_path / "mine", fields | {"tune_language_model": True}).stage == "unknown"
    assert what_it_learned(tmp_path / "mine", forget(fields)).warning is None
    assert what_it_learned(tmp_path / "RoboRefer-8B-SFT", None).points is True


def test_masks_are_not_asked_for(saved: Path, rooms: Mapping[str, TaskSet], tmp_path: Path) -> None:
    root = str(rooms["t2b"].roots["data"])
    options = CrossViewOptions(pairs="all")
    request = BuildRequest(reader="x3", root=root, splits=("validation",), tasks=("t2b_mask",), options=options)
    (built,) = build(request, tmp_path)
    with pytest.raises(NotApplicable, match="no text family can write masks"):
        get_model(spec(saved), SHORT).check(TaskSet(Path(built.path)))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("modus=resize", "Did you mean 'mode'"),
        ("mode=resise", "Did you mean 'resize'"),
        ("mode=dynamic_s2", "for a checkpoint of 'dynamic'"),
        ("max_tiles=0", "expected a whole number above 0"),
        ("max_tiles=65", "max_tiles <= 64"),
        ("form=training", "Choices: consistent, published"),
        ("lacking=skip", "Choices: stop, rgb"),
    ],
)
def test_settings_of_no_sense_are_refused(query: str, message: str, saved: Path) -> None:
    with pytest.raises(InputError, match=message):
        get_model(spec(saved, query), SHORT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ModelOptions(temperature=0.7), "asked greedily"),
        (ModelOptions(max_pixels=1000), "set mode= and max_tiles="),
    ],
)
def test_options_of_no_sense_are_refused(options: ModelOptions, message: str, saved: Path) -> None:
    with pytest.raises(InputError, match=message):
        get_model(spec(saved), options)


def test_a_fine_tune_of_the_same_shape_is_another_revision(saved: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    folder = Path(shutil.copytree(saved, tmp_path / saved.name))
    same = get_model(spec(folder), SHORT).describe()
    assert same == get_model(spec(saved), SHORT).describe()
    path = folder / "depth_projector" / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    assert get_model(spec(folder), SHORT).describe()["revision"] != same["revision"]


def test_a_checkpoint_without_its_weights_is_refused_before_the_first_question(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "part"))
    (folder / "llm" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="llm: no weights"):
        get_model(spec(folder), SHORT)


def test_depth_for_a_checkpoint_without_is_refused(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "rgb"))
    for part in ("depth_tower", "depth_projector"):
        shutil.rmtree(folder / part)
    top = json.loads((folder / "config.json").read_text())
    top |= {"enable_depth": False, "depth_tower_cfg": None, "depth_projector_cfg": None}
    (folder / "config.json").write_text(json.dumps(top))
    assert get_model(spec(folder), SHORT).describe()["depth"] == "no"
    with pytest.raises(InputError, match="no depth projector"):
        get_model(spec(folder, "depth=own"), SHORT)
