"""`sam2:` as a model: what its name may say, what it is told apart by, and that its settings change speed and memory alone."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402
from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.models.sam2 import tracker as module  # noqa: E402
from sightline.models.sam2.names import from_original  # noqa: E402
from sightline.models.sam2.tracker import Sam2Settings, Sam2Tracker  # noqa: E402
from sightline.models.sam2.weights import write_folder, write_original  # noqa: E402
from sightline.models.tracking.shown import Shown  # noqa: E402
from sightline.models.tracking.trackers import TrackerModel, whole_tracks  # noqa: E402
from tests.models.tracking.moving import Moving, region  # noqa: E402

SHOWN = [
    Shown(frame=0, object_id="a", mask=region(0)),
    Shown(frame=1, object_id="b", box=(12.0, 20.0, 32.0, 40.0)),
    Shown(frame=3, object_id="a", points=((26.0, 30.0, True),)),
]


@pytest.fixture(scope="module")
def folder(golden: Path, tiny_config: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    inner = Sam2VideoModel(tiny_config)
    inner.load_state_dict(from_original(load_file(golden / "weights.safetensors")))
    place = tmp_path_factory.mktemp("checkpoints")
    write_folder(inner, place / "tiny")
    write_original(inner, place / "tiny.pt")
    return place / "tiny"


def _tracks(tracker: Sam2Tracker, *, both: bool = False) -> dict[str, Any]:
    return whole_tracks(tracker.follow(Moving(), SHOWN, both_directions=both), ["a", "b"], 5)


def test_groups_and_waiting_memories_give_the_same_masks(folder: Path) -> None:
    plain = _tracks(Sam2Tracker(Sam2Settings(folder)))
    assert plain["b"][0] is None
    assert plain["a"][0] is not None
    assert _tracks(Sam2Tracker(Sam2Settings(folder, most_objects=1))) == plain
    assert _tracks(Sam2Tracker(Sam2Settings(folder, offload=True))) == plain


def test_both_directions_add_the_frames_before_the_first_prompt_alone(folder: Path) -> None:
    tracker = Sam2Tracker(Sam2Settings(folder))
    forward, both = _tracks(tracker), _tracks(tracker, both=True)
    assert both["a"] == forward["a"]
    assert both["b"][1:] == forward["b"][1:]


def test_bfloat16_is_autocast_and_near_float32(folder: Path) -> None:
    tracker = Sam2Tracker(Sam2Settings(folder, dtype="bfloat16"))
    rough, exact = _tracks(tracker), _tracks(Sam2Tracker(Sam2Settings(folder)))
    assert not torch.is_autocast_enabled("cpu")
    assert next(tracker.model.parameters()).dtype == torch.float32
    assert rough["b"] != exact["b"]  # so it was computed otherwise
    first, same = decode_mask(rough["a"][0]), decode_mask(exact["a"][0])
    assert (first & same).sum() / (first | same).sum() > 0.9


def test_one_clip_is_encoded_once_for_all_its_objects(folder: Path) -> None:
    frames = Moving()
    list(Sam2Tracker(Sam2Settings(folder)).follow(frames, SHOWN[:2]))
    assert sorted(frames.asked) == [0, 1, 1, 2, 3, 4]  # frame 1 has a prompt of one object and is tracked for the other


def test_the_name_says_everything(folder: Path) -> None:
    model = get_model(f"mine=sam2:{folder}?size=64&both_directions=yes&offload=yes&objects=3", ModelOptions(dtype="bfloat16"))
    assert isinstance(model, TrackerModel)
    assert isinstance(model.tracker, Sam2Tracker)
    assert (model.name, model.both_directions) == ("mine", True)
    assert model.tracker.settings == Sam2Settings(folder, image_size=64, offload=True, most_objects=3, dtype="bfloat16")
    described = model.describe()
    assert (described["kind"], described["image_size"], described["dtype"]) == ("sam2", 64, "bfloat16")
    assert get_model(f"sam2:{folder}").name == "tiny"


def test_another_checkpoint_has_another_revision(folder: Path, tmp_path: Path) -> None:
    inner = Sam2VideoModel.from_pretrained(folder)
    with torch.no_grad():
        inner.no_memory_embedding.add_(1.0)
    write_folder(inner, tmp_path / "tiny")
    before, after = (get_model(f"sam2:{place}").describe() for place in (folder, tmp_path / "tiny"))
    assert before["revision"] != after["revision"]
    assert before | {"revision": ""} == after | {"revision": ""}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?sise=64", "no setting of sam2: is called 'sise'. Did you mean 'size'"),
        ("?size=big", "size='big': expected a whole number"),
        ("?offload=1", "offload='1': expected yes or no"),
        ("?config=nowhere.yaml", "nowhere.yaml: no such file"),
        (".pt", "an original checkpoint needs its YAML"),
        ("gone", "no such file or folder"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(folder: Path, query: str, words: str) -> None:
    with pytest.raises((InputError, FileNotFoundError), match=words.replace("?", r"\?")):
        get_model(f"sam2:{folder}{query}")


def test_a_checkpoint_of_another_size_is_refused_when_it_is_loaded(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "cut"
    place.mkdir()
    (place / "config.json").write_bytes((folder / "config.json").read_bytes())
    from safetensors.torch import save_file  # noqa: PLC0415

    tensors = load_file(folder / "model.safetensors")
    gone = sorted(tensors)[0]
    save_file({name: tensor for name, tensor in tensors.items() if name != gone}, place / "model.safetensors")
    with pytest.raises(InputError, match=f"1 missing: {gone}"):
        _tracks(Sam2Tracker(Sam2Settings(place)))


@pytest.mark.parametrize(
    ("option", "words"), [({"dtype": "float16"}, "float32 or bfloat16"), ({"cache": "x"}, "--cache keeps texts")]
)
def test_options_of_no_sense_are_refused(folder: Path, option: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        get_model(f"sam2:{folder}", ModelOptions(**option))


def test_too_many_objects_for_the_gpu_are_named_with_what_would_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "track_frames", lambda *_, **__: map(full, [0]))
    with pytest.raises(InputError, match=r"2 objects of 96x64 frames at a time, the first of them 'a'.*objects=1"):
        _tracks(Sam2Tracker(Sam2Settings(folder)))
