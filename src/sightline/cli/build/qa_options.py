"""The options that the builds of spatial questions have in common: which frames are shown, and scenes that are tested on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sightline.cli.build.options import DropLeaks, Leaks
from sightline.cli.option_groups import takes

if TYPE_CHECKING:
    from sightline.tasks.frame_rules import FrameRule


def frame_options(
    *,
    frames: Annotated[
        str,
        typer.Option(
            "--frames",
            help="Which are shown: uniform, random, fps:RATE, space-aware, points-aware, points-reference or all; "
            "docs/spatial-qa.md.",
        ),
    ] = "uniform",
    num_frames: Annotated[int, typer.Option(min=1, help="How many; with fps:RATE at most. Does not count for all.")] = 16,
    choices: Annotated[
        Path | None, typer.Option("--choices", help="points-aware, points-reference: what sightline choose-frames has written.")
    ] = None,
) -> "FrameRule":
    """The rule that was asked for."""
    from sightline.tasks.frame_rules import read_rule  # noqa: PLC0415
    from sightline.tasks.point_choices import with_choices  # noqa: PLC0415

    return with_choices(read_rule(frames, num_frames=num_frames), choices)


class SceneGuard(NamedTuple):
    """As given on the command line."""

    leaks: str | None
    drop_leaks: bool
    allow_shared_scenes: bool


def scene_guard(
    *,
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    allow_shared_scenes: Annotated[
        bool, typer.Option("--allow-shared-scenes", help="Build training data although its scenes are tested on.")
    ] = False,
) -> SceneGuard:
    """What was given, as a build request takes it."""
    return SceneGuard(None if leaks is None else str(Path(leaks)), drop_leaks, allow_shared_scenes)


takes_frame_options = takes("rule", frame_options)
"""The command gets the rule as its parameter `rule`."""

takes_scene_guard = takes("guard", scene_guard)
"""The command gets these together, as its parameter `guard`."""
