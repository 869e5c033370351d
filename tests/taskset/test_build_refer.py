"""Referring task sets from trees in their true layouts: the same bytes for any number of workers, and what the command says."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from sightline.cli import run
from sightline.dialects import Size, get_dialect
from sightline.dialects.render import render_prompt
from sightline.errors import InputError
from sightline.evaluate.predict import read_geometry
from sightline.geometry.masks import decode_mask
from sightline.models import get_model
from sightline.tasks.footage import Sampling
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, BoxTrack, MaskAnswer, MaskTrack, Points, Span
from tests.datasets.referring.refer_trees import SIDE, annotation, coco_name, instances, ref, rle, save_json
from tests.davis_tree import save_picture
from tests.taskset.test_build import content

CLIP_TASKS = ("refer_track", "refer_mask_track", "refer_span")
PICTURE_TASKS = ("refer_box", "refer_mask", "refer_point")
IMAGES = range(9001, 9007)


def write_pictures(root: Path) -> Path:
    """Six pictures of two dogs each in the layout of RefCOCO; the fifth picture is missing."""
    boxes = {image: [(1, 2, 5, 6), (6, 1 + image % 3, 11, 7)] for image in IMAGES}
    dogs = [annotation(10 * image + k, image, box) for image, pair in boxes.items() for k, box in enumerate(pair)]
    refs = [ref(10 * image + k, 10 * image + k, image, "train", f"dog {k}", f"is it dog {k}?") for image in IMAGES for k in (0, 1)]
    save_json(root / "refcoco/instances.json", instances(list(IMAGES), dogs))
    (root / "refcoco/refs(unc).p").write_bytes(pickle.dumps(refs, protocol=0))
    for image in IMAGES:
        if image != 9005:
            save_picture(root / "coco2014/train2014" / coco_name(image), seed=image, width=SIDE[0], height=SIDE[1])
    return root


def write_clips(root: Path) -> Path:
    """Three clips of five frames in the layout of MeViS: a bird that is always there, one that arrives, nothing, and both birds."""
    masks: dict[str, list[dict[str, object] | None]] = {}
    videos: dict[str, dict[str, object]] = {}
    stems = [f"{number:05d}" for number in range(5)]
    for number in range(3):
        name = f"{number:012x}"
        stays, comes = str(2 * number), str(2 * number + 1)
        masks[stays] = [rle(1, 1 + k % 3, 4, 5) for k in range(5)]
        masks[comes] = [None, None, *(rle(6 + k, 2, 8 + k, 5) for k in range(3))]
        said = [("the bird", [stays]), ("what arrives?", [comes]), ("a cow", []), ("both", [stays, comes])]
        expressions = {
            str(k): {"exp": text, "obj_id": [int(one) % 2 for one in ids], "anno_id": [int(one) for one in ids]}
            for k, (text, ids) in enumerate(said)
        }
        videos[name] = {"vid_id": number, "frames": stems, "expressions": expressions}
        for stem in stems:
            path = root / "train/JPEGImages" / name / f"{stem}.jpg"
            save_picture(path, seed=10 * number + int(stem), width=SIDE[0], height=SIDE[1])
    save_json(root / "train/meta_expressions.json", {"videos": videos})
    save_json(root / "train/mask_dict.json", masks)
    return root


def request(root: Path, **changes: object) -> BuildRequest:
    values: dict[str, object] = {
        "reader": "refcoco",
        "root": str(root),
        "splits": ("train",),
        "tasks": PICTURE_TASKS,
        "options": ReferOptions(objects="one"),
    }
    return BuildRequest(**(values | changes))  # pyright: ignore[reportArgumentType]


def test_pictures_give_the_same_bytes_with_any_number_of_workers_and_when_built_in_two_goes(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "data")
    build(request(root), tmp_path / "one", workers=1)
    build(request(root), tmp_path / "two", workers=2)
    build(request(root, tasks=("refer_mask",)), tmp_path / "goes")
    again = build(request(root), tmp_path / "goes")
    assert [part.existed for part in again] == [False, True, False]
    assert content(tmp_path / "one") == content(tmp_path / "two") == content(tmp_path / "goes")


def test_what_was_built_of_pictures_is_read_back_and_speaks_every_family(tmp_path: Path) -> None:
    build(request(write_pictures(tmp_path / "data")), tmp_path / "out")
    sets = {task: TaskSet(tmp_path / f"out/{task}-train") for task in PICTURE_TASKS}
    # five pictures that are there, two objects each, two sentences an object
    assert {task: len(found) for task, found in sets.items()} == dict.fromkeys(PICTURE_TASKS, 20)
    assert sets["refer_box"].manifest.kept == {"V": 20}
    assert sets["refer_box"].manifest.dropped["frames_unusable"] == 4
    kinds = {"refer_box": Boxes, "refer_mask": MaskAnswer, "refer_point": Points}
    for task, found in sets.items():
        for example in found:
            assert isinstance(example.truth.answer, kinds[task])
            assert example.truth.mask is not None
            mask = found.read_mask(example.truth.mask)
            assert example.truth.box is not None
            x0, y0, x1, y1 = (int(side) for side in example.truth.box)
            assert mask[y0:y1, x0:x1].all()
            assert mask.sum() == (x1 - x0) * (y1 - y0)
    example = sets["refer_box"][0]
    sizes = Size.all_of(example.question)
    for name in ("qwen25", "qwen3", "internvl", "sa2va_box"):
        text = get_dialect(name).encode(example.truth.answer, sizes)
        assert get_dialect(name).decode(text, example.question.form, sizes).status == "ok"


def clip_request(root: Path, **changes: object) -> BuildRequest:
    options = ReferOptions(sampling=Sampling(policy="random", num_frames=4))
    return request(root, **({"reader": "mevis", "tasks": CLIP_TASKS, "options": options} | changes))


def test_clips_give_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "data")
    build(clip_request(root), tmp_path / "one", workers=1)
    build(clip_request(root), tmp_path / "two", workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_what_was_built_of_clips_is_what_the_masks_say(tmp_path: Path) -> None:
    options = ReferOptions(sampling=Sampling(policy="all"))
    build(clip_request(write_clips(tmp_path / "data"), options=options), tmp_path / "out")
    tracks, regions, spans = (TaskSet(tmp_path / f"out/{task}-train") for task in CLIP_TASKS)
    assert tracks.manifest.kept == regions.manifest.kept == {"NT": 3, "V": 9}
    # the bird that stays and both together fill the clip
    assert (spans.manifest.kept, spans.manifest.dropped["always_there"]) == ({"NT": 3, "V": 3}, 6)
    name = f"{0:012x}"
    assert spans[f"refer_span/{name}/1"].truth.answer == Span(start_s=0.333, end_s=0.833)  # frames 2 to 4 at an assumed 6 a second
    arrives = ((), (), *(((6.0 + k, 2.0, 8.0 + k, 5.0),) for k in range(3)))
    assert tracks[f"refer_track/{name}/1"].truth.answer == BoxTrack(frames=arrives)
    both = regions[f"refer_mask_track/{name}/3"].truth
    assert isinstance(both.answer, MaskTrack)
    for frame, code in enumerate(both.answer.frames):
        parts = [regions.read_mask(name) for item in both.objects if (name := item.masks[frame])]
        assert code is not None
        assert (decode_mask(code) == np.logical_or.reduce(parts)).all()


def test_every_baseline_and_every_family_answers_about_clips(tmp_path: Path) -> None:
    for part in build(clip_request(write_clips(tmp_path / "data")), tmp_path / "out"):
        found = TaskSet(Path(part.path))
        questions = [example.question for example in found]
        for name in ("center", "random", "whole", "not-visible", "copy"):
            model = get_model(name)
            model.check(found)
            for question, reply in zip(questions, model.answer(questions, found), strict=True):
                assert isinstance(reply, Answer)
                assert read_geometry(reply, question).status in ("ok", "not_visible")
        if found.manifest.task == "refer_mask_track":
            continue
        for name in ("qwen25", "qwen3", "internvl", "sa2va_box", "gemini", "pixels"):
            for example in found:
                sizes, dialect = Size.all_of(example.question), get_dialect(name)
                assert render_prompt(example.question.prompt, dialect, sizes)
                reading = dialect.decode(dialect.encode(example.truth.answer, sizes), example.question.form, sizes)
                assert reading.status == ("ok" if example.truth.visible else "not_visible")


def test_other_options_against_an_existing_output_are_refused(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "data")
    build(request(root), tmp_path / "out")
    with pytest.raises(InputError, match="num_frames"):
        build(request(root, options=ReferOptions(objects="one", sampling=Sampling(num_frames=3))), tmp_path / "out")


def test_the_command_builds_the_tasks_that_fit_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = write_pictures(tmp_path / "data"), tmp_path / "out"
    command = ["build", "refer", "--data", "refcoco", "--root", str(root), "--out", str(out), "--split", "train", "--json"]
    options = ["--objects", "one", "--no-target", "left_out", "--wording", "1", "--workers", "1"]
    assert run([*command, *options]) == 0
    built = json.loads(capsys.readouterr().out)
    assert [(Path(part["path"]).name, part["manifest"]["num_examples"]) for part in built] == [
        (f"{task}-train", 20) for task in PICTURE_TASKS
    ]
    chosen = built[0]["manifest"]["recipe"]["options"]
    assert (chosen["objects"], chosen["no_target"], chosen["wording"]) == ("one", "left_out", 1)
    assert chosen["sampling"]["policy"] == "uniform"
    assert not TaskSet(out / "refer_box-train")[0].question.form.offers_not_visible
    assert run([*command, *options, "--task", "refer_track"]) == 2
    assert "no example could be built. Dropped: single_frame 6" in json.loads(capsys.readouterr().out)["error"]


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["build", "refer", "--root", str(tmp_path), "--out", str(tmp_path / "out"), "--split", "train"]
    assert run([*command, "--data", "mevsi"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no reader of clips is called 'mevsi'. Did you mean 'mevis'? Choices: davis, mose," in said
    assert "x3" not in said  # of another task
