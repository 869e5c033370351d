"""Frames that were chosen by points: found by content, for scans and videos alike, and only as they were chosen."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.files import write_json
from sightline.media import encode_png
from sightline.tasks.frame_rules import FrameRule, read_rule
from sightline.tasks.pictures import Studio
from sightline.tasks.point_choices import (
    ChoiceSettings,
    FramesUnchosenError,
    KeptChoice,
    file_key,
    scan_choice,
    scan_key,
    video_choice,
    with_choices,
)
from sightline.tasks.space_aware import Chosen
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.scan import scan_questions, see_scan
from sightline.types import LedgerEntry
from tests.tasks.test_scan_coverage import write_scan

CHOSEN = Chosen(frames=(1, 4), order=(4, 1), gains=(9, 2))


def choices(folder: Path, key: str = "", *, num_frames: int = 6) -> FrameRule:
    """A folder with one choice, and the rule that reads it."""
    write_json(
        folder / "settings.json",
        ChoiceSettings(policy="points_aware", num_frames=2, num_candidates=128, weights="w", dtype="float32"),
    )
    if key:
        write_json(folder / f"{key}.json", KeptChoice(source="room", num_frames=num_frames, chosen=CHOSEN))
    return with_choices(read_rule("points-aware", num_frames=2), folder)


def test_questions_from_a_scan_show_the_frames_that_were_chosen_for_its_pictures(tmp_path: Path):
    scan = write_scan(tmp_path / "scans")
    rule = choices(tmp_path / "choices", scan_key(scan, tmp_path / "scans", 128))
    assert (rule.weights, rule.choices) == ("w-float32", str(tmp_path / "choices"))
    _, footage = see_scan(scan, Studio(tmp_path / "scans"), SpatialOptions(frames=rule))
    assert [panel.view_id for panel in footage.panels] == ["000001", "000004"]
    renamed = msgspec.structs.replace(scan, scan_id="another")
    assert scan_choice(renamed, tmp_path / "scans", rule) == CHOSEN
    picture = tmp_path / "scans" / scan.frames[2].image
    picture.write_bytes(encode_png(np.zeros((30, 40, 3), np.uint8)))
    with pytest.raises(FramesUnchosenError, match=r"no frames were chosen for it in .*choices, or it has changed since"):
        scan_choice(scan, tmp_path / "scans", rule)
    (noted,) = scan_questions(scan, Studio(tmp_path / "scans"), SpatialOptions(frames=rule), split="train")
    assert isinstance(noted, LedgerEntry)
    assert "no frames were chosen" in noted.detail


def test_frames_inside_a_sensors_file_are_to_be_prepared_first(tmp_path: Path):
    scan = write_scan(tmp_path)
    inside = tuple(msgspec.structs.replace(frame, image="s.sens", image_index=place) for place, frame in enumerate(scan.frames))
    with pytest.raises(FramesUnchosenError, match=r"no files of their own.*prepare scan"):
        scan_key(msgspec.structs.replace(scan, frames=inside), tmp_path, 128)


def test_a_video_is_known_by_the_bytes_of_its_file(tmp_path: Path):
    video = tmp_path / "a.mp4"
    video.write_bytes(b"first")
    rule = choices(tmp_path / "choices", file_key(video), num_frames=9)
    video.rename(tmp_path / "b.mp4")
    assert video_choice(tmp_path / "b.mp4", (), 9, rule) == CHOSEN
    with pytest.raises(InputError, match=r"a choice among 9 frames; .*b\.mp4 has 10"):
        video_choice(tmp_path / "b.mp4", (), 10, rule)
    (tmp_path / "b.mp4").write_bytes(b"second")
    with pytest.raises(FramesUnchosenError):
        video_choice(tmp_path / "b.mp4", (), 9, rule)


def test_choices_of_another_kind_or_number_are_refused(tmp_path: Path):
    choices(tmp_path)
    with pytest.raises(InputError, match=r"points-aware choices of 2 among 128 frames; asked for are points-reference, 2"):
        with_choices(read_rule("points-reference", num_frames=2), tmp_path)
    with pytest.raises(InputError, match="asked for are points-aware, 3 among 128"):
        with_choices(read_rule("points-aware", num_frames=3), tmp_path)
    with pytest.raises(InputError, match="go together"):
        with_choices(read_rule("points-aware", num_frames=2), None)
    with pytest.raises(InputError, match="go together"):
        with_choices(read_rule("uniform", num_frames=2), tmp_path)
    assert with_choices(rule := read_rule("uniform", num_frames=2), None) is rule
    with pytest.raises(FileNotFoundError, match=r"no settings\.json in it"):
        with_choices(read_rule("points-aware", num_frames=2), tmp_path / "nowhere")
