"""Leaks over data sets: a recording is known by its id, its first frame or a picture; a leak is an error that names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sightline import media, tasks
from sightline.datasets import CLIP_READERS
from sightline.errors import InputError
from sightline.geometry.perceptual_hash import SAME_PICTURE, picture_hash
from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.leaks import check_mixture, find_leaks, read_sightings
from sightline.taskset.recordings import Recording, see_recording
from sightline.taskset.registry import (
    Different,
    Sighting,
    add_to_registry,
    held_out,
    read_registry,
    sightings_of_data,
    sightings_of_list,
)
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, Choice, Clip, Example, ImagePart, Panel, Question, TextPart, Truth
from tests.davis_tree import save_picture, write_list, write_sequence

HASH = "00000000000000ff"


def first_frame(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """A task of one question a clip with pictures: whether its first frame shows anything."""
    del options
    path = seen.clip.frames[0].image
    if path is None:
        return
    image = studio.original(path)
    prompt = (
        ImagePart(image_index=0),
        TextPart(text="Anything?"),
        AnswerForm(shape="choice", image_index=0, options=("yes", "no")),
    )
    panels = (Panel(role="query", image_index=0, source=image),)
    name = seen.clip.clip_id
    yield Example(
        question=Question(id=f"probe/{name}", task="probe", prompt=prompt, images=(image,), panels=panels),
        truth=Truth(answer=Choice(value="yes"), panel_index=0),
        split=seen.clip.split,
        group=name,
        tier="V",
        object_id="1",
    )


@pytest.fixture(autouse=True)
def _probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tasks.CLIP_TASKS, "probe", lambda: first_frame)


def write_davis(root: Path, split: str, seeds: dict[str, int]) -> Path:
    """A DAVIS tree with one list; the pictures of a sequence depend on its seed alone."""
    for sequence, seed in seeds.items():
        write_sequence(root, sequence, [{1: (4, 4, 14, 14)}] * 2, pictures=False)
        for frame in range(2):
            save_picture(root / f"JPEGImages/480p/{sequence}/{frame:05d}.jpg", seed + frame, width=96, height=64)
    write_list(root, "2017", split, list(seeds))
    return root


def probe(root: Path, split: str, **changes: object) -> BuildRequest:
    values = {"reader": "davis", "root": str(root), "splits": (split,), "tasks": ("probe",), "options": ClipOptions()} | changes
    return BuildRequest(**values)  # pyright: ignore[reportArgumentType]


def recompress(root: Path, sequence: str) -> None:
    """The sequence's pictures half as large and stored once more."""
    for path in (root / "JPEGImages/480p" / sequence).iterdir():
        Image.open(path).resize((48, 32), Image.Resampling.LANCZOS).save(path, quality=60)


def sighting(video_id: str, *, dataset: str = "davis", split: str = "val", first_frame: str | None = None) -> Sighting:
    return Sighting(video_id=video_id, dataset=dataset, split=split, first_frame=first_frame)


def test_a_task_set_of_clips_says_what_it_was_made_of(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "data", "train", {"bear": 100, "duel": 200})
    build(probe(root, "train"), tmp_path / "out")
    first = picture_hash(media.read_rgb(root / "JPEGImages/480p/bear/00000.jpg"))
    found = list(read_sightings(tmp_path / "out/probe-train"))
    assert [(seen.video_id, seen.dataset, seen.split) for seen in found] == [
        ("davis/bear", "davis", "train"),
        ("davis/duel", "davis", "train"),
    ]
    assert found[0].first_frame == f"{first:016x}"
    assert "sources.jsonl" in TaskSet(tmp_path / "out/probe-train").manifest.files


def test_a_clip_whose_first_frame_is_damaged_is_known_by_its_id_and_noted(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "data", "train", {"bear": 100})
    path = root / "JPEGImages/480p/bear/00000.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    (clip,) = CLIP_READERS["davis"][0]()(root, "train")
    found, entry = see_recording(clip, Studio(root), reader="davis")
    assert found == Recording(group="bear", video_id="davis/bear")
    assert entry is not None
    assert (entry.unit, entry.reason, entry.action) == ("bear", "first_frame_unreadable", "altered")


def test_a_recording_is_known_by_the_id_its_data_set_says(tmp_path: Path) -> None:
    clip = Clip(clip_id="MOSE/0a1b", split="valid", frames=(), video_id="MOSE/0a1b")
    assert see_recording(clip, Studio(tmp_path), reader="revos")[0].video_id == "mose/0a1b"


def test_the_same_recording_in_two_task_sets_is_found_by_its_id(tmp_path: Path) -> None:
    build(probe(write_davis(tmp_path / "a", "train", {"bear": 100}), "train"), tmp_path / "a_out")
    build(probe(write_davis(tmp_path / "b", "val", {"bear": 900}), "val"), tmp_path / "b_out")
    train, test = tmp_path / "a_out/probe-train", tmp_path / "b_out/probe-val"
    with pytest.raises(InputError, match=r"davis/bear \(davis, train\), tested on davis/bear \(davis, val\): the same id"):
        check_mixture([train], [test])


def test_a_recording_under_another_name_is_found_by_its_first_frame(tmp_path: Path) -> None:
    build(probe(write_davis(tmp_path / "a", "train", {"bear": 100, "fox": 300}), "train"), tmp_path / "a_out")
    renamed = write_davis(tmp_path / "b", "val", {"grizzly": 100})
    recompress(renamed, "grizzly")
    build(probe(renamed, "val"), tmp_path / "b_out")
    with pytest.raises(InputError, match=r"1 recording.*davis/bear .*davis/grizzly .*first frames that differ in \d of 64 bits"):
        check_mixture([tmp_path / "a_out/probe-train"], [tmp_path / "b_out/probe-val"])


def test_a_picture_that_is_the_same_is_found_where_nothing_else_tells(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "a", "train", {"bear": 100})
    build(probe(root, "train"), tmp_path / "a_out")
    other = write_davis(tmp_path / "b", "val", {"fox": 100})
    build(probe(other, "val"), tmp_path / "b_out")
    (tmp_path / "b_out/probe-val/sources.jsonl").unlink()  # as in a task set that was not made of clips
    with pytest.raises(InputError, match="bear of probe-train is fox of probe-val"):
        check_mixture([tmp_path / "a_out/probe-train"], [tmp_path / "b_out/probe-val"])


def test_a_mixture_that_shares_nothing_passes(tmp_path: Path) -> None:
    build(probe(write_davis(tmp_path / "a", "train", {"bear": 100}), "train"), tmp_path / "a_out")
    build(probe(write_davis(tmp_path / "b", "val", {"fox": 700}), "val"), tmp_path / "b_out")
    check_mixture([tmp_path / "a_out/probe-train"], [tmp_path / "b_out/probe-val"])


def test_a_build_into_a_folder_with_a_test_set_of_the_same_recording_is_refused(tmp_path: Path) -> None:
    renamed = write_davis(tmp_path / "b", "val", {"grizzly": 100})
    recompress(renamed, "grizzly")
    build(probe(renamed, "val"), tmp_path / "out")
    with pytest.raises(InputError, match="davis/bear"):
        build(probe(write_davis(tmp_path / "a", "train", {"bear": 100}), "train"), tmp_path / "out")
    assert not (tmp_path / "out/probe-train").exists()


def test_a_build_is_refused_by_a_registry_or_leaves_the_recording_out(tmp_path: Path) -> None:
    registry = tmp_path / "held_out.jsonl"
    (tmp_path / "valid_u.txt").write_text("DAVIS/bear\n\n")
    assert add_to_registry(registry, sightings_of_list(tmp_path / "valid_u.txt", dataset="mevis", split="valid_u")) == 1
    root = write_davis(tmp_path / "data", "train", {"bear": 100, "fox": 300})
    with pytest.raises(InputError, match=r"davis/bear \(davis, train\), tested on davis/bear \(mevis, valid_u\)"):
        build(probe(root, "train", leaks=str(registry)), tmp_path / "out")
    build(probe(root, "train", leaks=str(registry), drop_leaks=True), tmp_path / "clean")
    built = TaskSet(tmp_path / "clean/probe-train")
    assert [example.group for example in built] == ["fox"]
    assert [(entry.unit, entry.detail) for entry in built.ledger if entry.reason == "leak"] == [
        ("bear", "trained on davis/bear (davis, train), tested on davis/bear (mevis, valid_u): the same id")
    ]
    with pytest.raises(InputError, match="leaks_dropped"):
        build(probe(root, "train"), tmp_path / "clean")


def test_a_test_split_may_hold_what_is_held_out(tmp_path: Path) -> None:
    registry = tmp_path / "held_out.jsonl"
    add_to_registry(registry, [sighting("davis/bear", dataset="mevis", split="valid")])
    root = write_davis(tmp_path / "data", "val", {"bear": 100})
    assert build(probe(root, "val", leaks=str(registry)), tmp_path / "out")[0].manifest.num_examples == 1


def test_hashes_count_up_to_the_threshold_and_not_beyond() -> None:
    near = f"{(1 << SAME_PICTURE) - 1:016x}"
    far = f"{(1 << (SAME_PICTURE + 1)) - 1:016x}"
    held = [sighting("mose/a", first_frame=f"{0:016x}")]
    found = find_leaks([sighting("ovis/b", first_frame=near), sighting("ovis/c", first_frame=far)], held)
    assert [(leak.trained.video_id, leak.distance) for leak in found] == [("ovis/b", SAME_PICTURE)]
    assert find_leaks([sighting("ovis/b", first_frame=near)], held, different=[Different(video_ids=("mose/a", "ovis/b"))]) == []
    assert find_leaks([sighting("ovis/b")], [sighting("mose/a")]) == []  # no hash is not the same hash


@pytest.mark.parametrize("split", ["val", "valid_u", "validation", "testA", "test-dev", "minival"])
def test_splits_for_testing_are_known_by_their_names(split: str) -> None:
    assert held_out(split)


@pytest.mark.parametrize("split", ["train", "training", "all", "trainval", "sav_000"])
def test_any_other_split_is_taken_for_training(split: str) -> None:
    assert not held_out(split)


def test_a_registry_is_sorted_and_holds_each_entry_once(tmp_path: Path) -> None:
    path = tmp_path / "registry.jsonl"
    entries = [sighting("mose/b", first_frame=HASH), sighting("davis/a"), Different(video_ids=("davis/a", "mose/b"))]
    assert add_to_registry(path, entries) == 3
    before = path.read_bytes()
    assert before.splitlines() == sorted(before.splitlines())
    assert add_to_registry(path, [*entries[:1], sighting("davis/c")]) == 1
    assert read_registry(path) == (
        [sighting("davis/a"), sighting("davis/c"), sighting("mose/b", first_frame=HASH)],
        [Different(video_ids=("davis/a", "mose/b"))],
    )


@pytest.mark.parametrize(
    "line", ["{", '{"kind":"video"}', '{"kind":"video","video_id":"a/b","dataset":"a","split":"val","first_frame":"0g"}']
)
def test_a_damaged_line_of_a_registry_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "registry.jsonl"
    add_to_registry(path, [sighting("davis/a")])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=r"registry\.jsonl, line 2"):
        read_registry(path)


def test_a_registry_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="leaks add"):
        read_registry(tmp_path / "none.jsonl")


def test_real_sequences_are_no_leaks_of_each_other(shared_data: Path) -> None:
    found = [seen for seen in sightings_of_data("davis", shared_data / "davis", "val") if seen.first_frame]
    assert len(found) == 3
    assert all(not find_leaks([one], [other]) for one in found for other in found if one != other)
