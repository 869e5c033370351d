"""Questions about the camera between two of the shown frames, from their poses.

    camera_displacement         how far apart the two standpoints are, metres, to 0.1
    camera_movement_direction   where the second standpoint lies, seen from the first: forward, backward, left, right, up, down
    camera_view_change          to which side the direction of view has turned about the vertical: left, right, to the back

Directions are asked only if they are clear: the movement lies at most 45 - `margin_deg` degrees from one of the camera's axes, the
turn is at least `min_turned_deg` and not within `margin_deg` of 135 degrees, the border of "back".
"""

from itertools import combinations

import numpy as np
from jaxtyping import Float

from sightline.tasks.spatial.facts import Fact, Found, Scene, evened, shuffled

AXES = (("right", "left"), ("down", "up"), ("forward", "backward"))  # plus and minus of OpenCV's x, y, z
TURNS = ("left", "right", "back")
BACK_DEG = 135.0
STEEP = 0.9  # sine of the steepest view whose heading is still well defined

Pose = Float[np.ndarray, "4 4"]


def displacement(scene: Scene) -> Found:
    """`camera_displacement`."""
    found = Found()
    for (first, second), (a, b) in _pairs(scene, "camera_displacement", found):
        moved = float(np.linalg.norm(b[:3, 3] - a[:3, 3]))
        if moved < scene.options.min_moved_m:
            found.drop("not_moved", f"frames {first + 1} and {second + 1}: {moved:.2f} m")
            continue
        found.facts.append(
            _fact(scene, "camera_displacement", (first, second), answer=round(moved, 1), unit="m", measured={"moved_m": moved})
        )
    found.facts = found.facts[: scene.options.limit_motion]
    return found


def movement(scene: Scene) -> Found:
    """`camera_movement_direction`."""
    found, kind = Found(), "camera_movement_direction"
    facts = []
    for (first, second), (a, b) in _pairs(scene, kind, found):
        step = a[:3, :3].T @ (b[:3, 3] - a[:3, 3])
        moved = float(np.linalg.norm(step))
        if moved < scene.options.min_moved_m:
            found.drop("not_moved", f"frames {first + 1} and {second + 1}: {moved:.2f} m")
            continue
        axis = int(np.abs(step).argmax())
        off_axis = float(np.degrees(np.arccos(min(1.0, abs(float(step[axis])) / moved))))
        if off_axis > 45.0 - scene.options.margin_deg:
            found.drop("between_directions", f"frames {first + 1} and {second + 1}: {off_axis:.0f} degrees from an axis")
            continue
        answer = AXES[axis][0 if step[axis] > 0 else 1]
        options = tuple(word for axis_words in AXES for word in axis_words)
        rng = scene.rng(f"{kind}/{first}-{second}")
        offered = (answer, *shuffled([word for word in options if word != answer], rng)[:3])
        measured: dict[str, float | int | str] = {"moved_m": moved, "off_axis_deg": off_axis}
        facts.append(_fact(scene, kind, (first, second), answer=answer, options=offered, measured=measured))
    found.facts = evened(facts, lambda fact: fact.answer, limit=scene.options.limit_motion)
    return found


def view_change(scene: Scene) -> Found:
    """`camera_view_change`."""
    found, kind = Found(), "camera_view_change"
    facts = []
    for (first, second), (a, b) in _pairs(scene, kind, found):
        name = f"frames {first + 1} and {second + 1}"
        if max(abs(float(a[2, 2])), abs(float(b[2, 2]))) > STEEP:
            found.drop("steep_view", name)
            continue
        turned = heading_change(a, b)
        if abs(turned) < scene.options.min_turned_deg:
            found.drop("not_turned", f"{name}: {turned:.0f} degrees")
        elif abs(abs(turned) - BACK_DEG) < scene.options.margin_deg:
            found.drop("near_a_border", f"{name}: {turned:.0f} degrees")
        else:
            answer = "back" if abs(turned) > BACK_DEG else "left" if turned > 0 else "right"
            measured: dict[str, float | int | str] = {"turned_deg": turned}
            facts.append(_fact(scene, kind, (first, second), answer=answer, options=TURNS, measured=measured))
    found.facts = evened(facts, lambda fact: fact.answer, limit=scene.options.limit_motion)
    return found


def heading_change(a: Pose, b: Pose) -> float:
    """Degrees in (-180, 180] about the vertical from the direction of view of `a` to that of `b`, counter-clockwise (left) from
    above."""
    before, after = a[:2, 2], b[:2, 2]
    cross = before[0] * after[1] - before[1] * after[0]
    return float(np.degrees(np.arctan2(cross, before @ after)))


def _pairs(scene: Scene, kind: str, found: Found) -> list[tuple[tuple[int, int], tuple[Pose, Pose]]]:
    """Pairs of moments with a pose, in a random order."""
    poses = scene.place.poses()
    if len(poses) < len(scene.place.moments):
        found.drop("no_pose", f"{len(scene.place.moments) - len(poses)} frames")
    pairs = shuffled(list(combinations(sorted(poses), 2)), scene.rng(kind))
    return [((first, second), (poses[first], poses[second])) for first, second in pairs]


def _fact(
    scene: Scene,
    kind: str,
    frames: tuple[int, int],
    *,
    answer: float | str,
    unit: str = "",
    options: tuple[str, ...] = (),
    measured: dict[str, float | int | str],
) -> Fact:
    moments = [scene.place.moments[frame] for frame in frames]
    poses = scene.place.poses()
    places = [(float(poses[frame][0, 3]), float(poses[frame][1, 3])) for frame in frames]
    return Fact(
        kind=kind,
        key="-".join(moment.frame_id for moment in moments),
        values={"first": str(frames[0] + 1), "second": str(frames[1] + 1)},
        answer=answer,
        unit=unit,
        options=options,
        frames=frames,
        measured=measured,
        lines=((places[0], places[1]),),
    )
