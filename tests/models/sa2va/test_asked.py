"""`sa2va:` as a model: what its name may say, what becomes of the [SEG] in its answers, and that its words are kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.evaluate.predict import predict, read_reply  # noqa: E402
from sightline.geometry.masks import encode_mask  # noqa: E402
from sightline.models import ModelOptions, NotApplicable, get_model  # noqa: E402
from sightline.models.sa2va import asked  # noqa: E402
from sightline.models.sa2va.asked import Sa2VaModel, question_text  # noqa: E402
from sightline.models.sa2va.modes import MODES  # noqa: E402
from sightline.models.sa2va.network import Heard  # noqa: E402
from sightline.models.sa2va.segment import Segmented, segment  # noqa: E402
from sightline.models.tracking.shown import QuestionFrames  # noqa: E402
from sightline.tasks.footage import Sampling  # noqa: E402
from sightline.tasks.refer import ReferOptions  # noqa: E402
from sightline.taskset.build import build  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.types import MaskAnswer, MaskTrack, NotVisible  # noqa: E402
from tests.taskset.test_build_refer import clip_request, request, write_clips, write_pictures  # noqa: E402

SIZE = (8, 12)  # height, width of the pictures


@pytest.fixture(scope="module")
def tasksets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskSet]:
    """Referring in pictures and in clips."""
    place = tmp_path_factory.mktemp("referring")
    build(request(write_pictures(place / "pictures"), tasks=("refer_mask", "refer_box")), place / "out")
    options = ReferOptions(sampling=Sampling(policy="all"))
    build(clip_request(write_clips(place / "clips"), tasks=("refer_mask_track",), options=options), place / "out")
    return {name: TaskSet(place / "out" / f"{name}-train") for name in ("refer_mask", "refer_box", "refer_mask_track")}


@pytest.fixture
def model(folders: dict[str, Path], models: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Sa2VaModel:
    monkeypatch.setattr(asked, "load_sa2va", lambda *_args, **_options: models["internvl"])
    found = get_model(f"small=sa2va:{folders['internvl']}", ModelOptions(max_new_tokens=8, device="cpu"))
    assert isinstance(found, Sa2VaModel)
    return found


def region(*boxes: tuple[int, int, int, int]) -> Any:
    mask = np.zeros(SIZE, bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


LEFT, RIGHT, NOTHING = region((0, 0, 3, 3)), region((5, 5, 9, 8)), region()


def says(*tracks: tuple[Any, ...], cut: bool = False) -> Segmented:
    return Segmented(Heard(text="It is so.", ids=(1, 2), cut=cut, states=torch.zeros(len(tracks), 4)), tracks)


def test_a_run_has_masks_and_words_for_every_question(model: Sa2VaModel, tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    taskset = tasksets["refer_mask_track"]
    predict(taskset, model, tmp_path / "run")
    lines = (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == len(taskset) == 12
    question = taskset[0].question
    frames = QuestionFrames(question, taskset)
    (alone,) = segment(model.network, frames, [question_text(question, model.settings.words)], MODES["official"], max_new_tokens=8)
    (reply,) = model.answer([question], taskset)
    assert reply.text == alone.heard.text
    assert read_reply(model, question, reply).text == alone.heard.text


def test_questions_about_one_clip_are_answered_in_one_go(model: Sa2VaModel, tasksets: dict[str, TaskSet]) -> None:
    taskset = tasksets["refer_mask_track"]
    questions = [example.question for example in taskset][:8]  # two clips of four expressions
    assert [len(some) for some in model.replies(questions, taskset)] == [4, 4]


def test_in_a_picture_all_seg_count_and_in_a_clip_the_first(model: Sa2VaModel, tasksets: dict[str, TaskSet]) -> None:
    picture, clip = tasksets["refer_mask"][0].question, tasksets["refer_mask_track"][0].question
    drawn = model._reply(picture, says((LEFT,), (RIGHT,)))
    assert drawn.answer == MaskAnswer(rle=region((0, 0, 3, 3), (5, 5, 9, 8)))
    assert drawn.notes == ("2_seg",)
    assert model._reply(picture, says((LEFT,))).notes == ()
    assert model._reply(clip, says((LEFT,) * 5, (RIGHT,) * 5)).answer == MaskTrack(frames=(LEFT,) * 5)


def test_the_masks_that_count_can_be_chosen(folders: dict[str, Path], tasksets: dict[str, TaskSet]) -> None:
    picture, clip = tasksets["refer_mask"][0].question, tasksets["refer_mask_track"][0].question
    first, union = (get_model(f"sa2va:{folders['internvl']}?masks={masks}") for masks in ("first", "union"))
    assert isinstance(first, Sa2VaModel)
    assert isinstance(union, Sa2VaModel)
    assert first._reply(picture, says((LEFT,), (RIGHT,))).answer == MaskAnswer(rle=LEFT)
    both = region((0, 0, 3, 3), (5, 5, 9, 8))
    assert union._reply(clip, says((LEFT,) * 5, (RIGHT,) * 5)).answer == MaskTrack(frames=(both,) * 5)


def test_without_seg_the_mask_is_empty_and_that_is_noted(model: Sa2VaModel, tasksets: dict[str, TaskSet]) -> None:
    picture, clip = tasksets["refer_mask"][0].question, tasksets["refer_mask_track"][0].question
    drawn = model._reply(picture, says(cut=True))
    assert drawn.answer == MaskAnswer(rle=NOTHING)
    assert drawn.notes == ("no_seg", "cut")
    read = read_reply(model, picture, drawn)
    assert (read.reading.status, read.reading.answer) == ("not_visible", NotVisible())  # the question offers it
    assert read.reading.notes == ("no_seg", "cut")
    assert read.text == "It is so."
    assert model._reply(clip, says()).answer == MaskTrack(frames=(None,) * 5)


def test_a_frame_without_the_object_has_no_mask(model: Sa2VaModel, tasksets: dict[str, TaskSet]) -> None:
    clip = tasksets["refer_mask_track"][0].question
    drawn = model._reply(clip, says((LEFT, NOTHING, LEFT, LEFT, NOTHING)))
    assert drawn.answer == MaskTrack(frames=(LEFT, None, LEFT, LEFT, None))


def test_expressions_are_asked_in_the_authors_words_unless_the_tasks_are_wanted(
    model: Sa2VaModel, folders: dict[str, Path], tasksets: dict[str, TaskSet]
) -> None:
    said = [question_text(example.question, model.settings.words) for example in tasksets["refer_mask_track"]]
    assert said[0] == "<image>\nPlease segment the bird."
    assert said[1] == "<image>\nwhat arrives? Please respond with a segmentation mask."
    plain = get_model(f"sa2va:{folders['internvl']}?words=task")
    assert isinstance(plain, Sa2VaModel)
    assert '"the bird"' in question_text(tasksets["refer_mask_track"][0].question, plain.settings.words)


def test_other_questions_are_not_for_it(model: Sa2VaModel, tasksets: dict[str, TaskSet]) -> None:
    with pytest.raises(NotApplicable, match="a box is asked for"):
        model.check(tasksets["refer_box"])
    model.check(tasksets["refer_mask"])


def test_settings_tell_models_apart(folders: dict[str, Path]) -> None:
    options = ModelOptions(device="cpu")
    found = [
        get_model(f"sa2va:{folders['internvl']}{query}", options).describe()
        for query in ("", "?mode=consistent", "?frames=3", "?masks=first", "?words=task")
    ]
    assert len({str(each) for each in found}) == 5
    assert found[0]["mode"] == "official"
    assert found[0]["dtype"] == "float32"


@pytest.mark.parametrize(
    ("query", "options", "expected"),
    [
        ("?mode=consistant", {}, "Did you mean 'consistent'"),
        ("?mod=official", {}, "Did you mean 'mode'"),
        ("?frames=many", {}, "frames='many'"),
        ("?frames=0", {}, "0 prompted frames"),
        ("?masks=last", {}, "first"),
        ("", {"cache": "somewhere"}, "--cache keeps texts"),
        ("", {"temperature": 0.5}, "the likeliest token"),
        ("", {"dtype": "float16"}, "float32 or bfloat16"),
    ],
)
def test_what_makes_no_sense_is_refused(query: str, options: dict[str, Any], expected: str, folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=expected):
        get_model(f"sa2va:{folders['internvl']}{query}", ModelOptions(**options))


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path, folders: dict[str, Path]) -> None:
    (tmp_path / "model.safetensors").write_bytes((folders["internvl"] / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "internvl"}')
    with pytest.raises(InputError, match="a checkpoint of 'internvl'; expected 'sa2va_chat'"):
        get_model(f"sa2va:{tmp_path}")
    with pytest.raises(FileNotFoundError):
        get_model(f"sa2va:{tmp_path / 'none'}")
