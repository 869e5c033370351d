"""Every example that the relation tasks make is true, as a checker finds from decoded masks with code of its own."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.datasets.clips.davis import Davis
from sightline.tasks.clips import SeenClip
from sightline.tasks.footage import Sampling
from sightline.tasks.relations.facts import find_facts
from sightline.tasks.relations.options import RelationOptions
from sightline.types import Boxes, Clip, ClipFrame, MaskRle, NotVisible, Track
from tests.tasks.relations.clips import HEIGHT, PICTURE, TASKS, WIDTH, checker, coded, outcomes, write_picture

OPTIONS = RelationOptions()
MANY = RelationOptions(frames_per_relation=3, sets_per_clip=40)
SEVERAL = ("kite-surf", "soapbox", "bmx-trees")


def _verify_all(seen: SeenClip, options: RelationOptions) -> Counter[str]:
    """The number of verified examples of each kind of question."""
    check = checker(seen, options)
    return Counter(check.verify(example) for task in TASKS for example in outcomes(seen, task, options)[0])


@st.composite
def _tracks(draw: st.DrawFn) -> dict[str, list[tuple[int, int, int, int] | None]]:
    """Up to four rectangles that move evenly, are cut off at the border, and may be absent for a while."""
    count = draw(st.integers(1, 24))
    tracks: dict[str, list[tuple[int, int, int, int] | None]] = {}
    for name in "abcd"[: draw(st.integers(1, 4))]:
        width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
        x, y = draw(st.integers(-10, WIDTH - 1)), draw(st.integers(0, HEIGHT - height))
        speed = draw(st.integers(-6, 6))
        gone = draw(st.sets(st.integers(0, count - 1), max_size=count // 3))
        boxes = []
        for frame in range(count):
            left = x + speed * frame
            box = (max(left, 0), y, min(left + width, WIDTH), y + height)
            boxes.append(box if box[0] < box[2] and frame not in gone else None)
        tracks[name] = boxes
    return tracks


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tracks=_tracks(), mirror=st.booleans(), refer=st.sampled_from(["mark", "box"]), step=st.integers(1, 3))
def test_examples_of_random_clips_are_true(
    tmp_path: Path, tracks: dict, *, mirror: bool, refer: Literal["mark", "box"], step: int
) -> None:
    write_picture(tmp_path)
    options = RelationOptions(mirror=mirror, refer=refer, sampling=Sampling(num_frames=6), min_area=0.003)
    count = len(next(iter(tracks.values())))
    _verify_all(SeenClip(coded(tracks, annotated=range(0, count, step)), tmp_path), options)


def _masklets(shared_data: Path, root: Path) -> SeenClip:
    """The manual masklets with one plain picture for every frame; the video is not in the sample."""
    stored = json.loads((shared_data / "sav/sav_train/sav_000/sav_000001_manual.json").read_text())
    write_picture(root, width=480, height=848)
    frames = tuple(ClipFrame(frame_id=f"{4 * number:05d}", image=PICTURE) for number in range(len(stored["masklet"])))

    def code(rle: dict | None) -> MaskRle | None:
        return None if rle is None else MaskRle(height=rle["size"][0], width=rle["size"][1], counts=rle["counts"])

    tracks = tuple(
        Track(object_id=str(column), masks=tuple(code(entry[column]) for entry in stored["masklet"])) for column in range(5)
    )
    clip = Clip(clip_id="sav_000001", split="train", frames=frames, tracks=tracks, width=480, height=848, fps=6.0)
    return SeenClip(clip, root)


def test_every_example_of_the_sa_v_masklets_is_true(shared_data: Path, tmp_path: Path) -> None:
    seen = _masklets(shared_data, tmp_path)
    found = _verify_all(seen, MANY)
    assert {"side_yesno", "side_choice", "third", "order", "beside", "order_track", "beside_track", "switch"} <= set(found)


def test_every_example_of_davis_is_true(shared_data: Path) -> None:
    reader = Davis(shared_data / "davis", "val")
    found: Counter[str] = Counter()
    for clip in reader:
        if any(frame.image for frame in clip.frames):
            found += _verify_all(SeenClip(clip, reader.root), OPTIONS)
    assert found["third"] > 0  # one object a sequence: nothing else can be asked


def test_every_example_of_several_davis_objects_in_one_clip_is_true(shared_data: Path) -> None:
    """Real outlines and motion of four sequences, laid over the pictures of one."""
    root = shared_data / "davis"
    numbers = range(0, 49, 4)
    frames = tuple(ClipFrame(frame_id=f"{number:05d}", image=f"JPEGImages/480p/libby/{number:05d}.jpg") for number in numbers)
    tracks = tuple(
        Track(object_id=name, mask_paths=tuple(f"Annotations/480p/{name}/{number:05d}.png" for number in numbers))
        for name in ("libby", "kite-surf", "soapbox", "bmx-trees")
    )
    seen = SeenClip(Clip(clip_id="together", split="val", frames=frames, tracks=tracks, fps=24.0), root)
    found = _verify_all(seen, MANY)
    assert {"side_yesno", "side_choice", "order", "beside", "order_track", "beside_track"} <= set(found)


def test_a_rider_and_what_he_rides_are_no_pair(shared_data: Path, tmp_path: Path) -> None:
    """In the label pictures that OSVOS predicted for three sequences."""
    for sequence in SEVERAL:
        shutil.copytree(shared_data / "davis/osvos_results" / sequence, tmp_path / "Annotations/480p" / sequence)
    facts = [find_facts(SeenClip(clip, tmp_path), OPTIONS) for clip in Davis(tmp_path, "all")]
    assert {pair.reason for one in facts for pair in one.rejected} == {"part_whole"}
    assert [len(one.rejected) for one in facts] == [1, 3, 3]  # of two, three and three objects


@pytest.mark.parametrize("task", ["relation_box", "relation_choice"])
def test_the_checker_finds_a_wrong_truth(task: str, tmp_path: Path) -> None:
    write_picture(tmp_path)
    seen = SeenClip(coded({"a": [(5, 5, 20, 20)] * 6, "b": [(60, 5, 80, 20)] * 6}), tmp_path)
    example = next(one for one in outcomes(seen, task, OPTIONS)[0] if not isinstance(one.truth.answer, NotVisible))
    check = checker(seen, OPTIONS)
    check.verify(example)
    answer = example.truth.answer
    if isinstance(answer, Boxes):
        wrong = Boxes(boxes=((0.0, 0.0, 1.0, 1.0),), image_index=answer.image_index)
    else:
        wrong = msgspec.structs.replace(answer, value="nonsense")
    with pytest.raises((AssertionError, KeyError)):
        check.verify(msgspec.structs.replace(example, truth=msgspec.structs.replace(example.truth, answer=wrong)))
