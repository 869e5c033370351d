"""Questions about rooms whose answers are true by geometry: boxes, floor, poses, and what was seen when. No pixel decides anything.

place       a scene as its geometry              facts        what all kinds measure, what a kind gives
measures    counts, sizes, room, distances       nearest      which is nearest
direction   left, right, back, quarters          appearance   which was seen first
route       turns on a way (floor)               motion       how the camera moved and turned
asking      facts to examples: words, letters, evidence (plan)
scan        a scan of a reader to a scene
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.tasks.spatial.facts import Found, Scene

    Kind = Callable[[Scene], Found]


def _counts() -> "Kind":
    from sightline.tasks.spatial.measures import counts  # noqa: PLC0415

    return counts


def _sizes() -> "Kind":
    from sightline.tasks.spatial.measures import sizes  # noqa: PLC0415

    return sizes


def _room() -> "Kind":
    from sightline.tasks.spatial.measures import room  # noqa: PLC0415

    return room


def _distances() -> "Kind":
    from sightline.tasks.spatial.measures import distances  # noqa: PLC0415

    return distances


def _nearest() -> "Kind":
    from sightline.tasks.spatial.nearest import nearest  # noqa: PLC0415

    return nearest


def _easy() -> "Kind":
    from sightline.tasks.spatial.direction import easy  # noqa: PLC0415

    return easy


def _medium() -> "Kind":
    from sightline.tasks.spatial.direction import medium  # noqa: PLC0415

    return medium


def _hard() -> "Kind":
    from sightline.tasks.spatial.direction import hard  # noqa: PLC0415

    return hard


def _order() -> "Kind":
    from sightline.tasks.spatial.appearance import order  # noqa: PLC0415

    return order


def _route() -> "Kind":
    from sightline.tasks.spatial.route import route  # noqa: PLC0415

    return route


def _displacement() -> "Kind":
    from sightline.tasks.spatial.motion import displacement  # noqa: PLC0415

    return displacement


def _movement() -> "Kind":
    from sightline.tasks.spatial.motion import movement  # noqa: PLC0415

    return movement


def _view_change() -> "Kind":
    from sightline.tasks.spatial.motion import view_change  # noqa: PLC0415

    return view_change


# By the names that the VSI benchmark (and VSTI, of the camera) gives its types.
KINDS: "dict[str, Callable[[], Kind]]" = {
    "object_counting": _counts,
    "object_size_estimation": _sizes,
    "room_size_estimation": _room,
    "object_abs_distance": _distances,
    "object_rel_distance": _nearest,
    "object_rel_direction_easy": _easy,
    "object_rel_direction_medium": _medium,
    "object_rel_direction_hard": _hard,
    "obj_appearance_order": _order,
    "route_planning": _route,
    "camera_displacement": _displacement,
    "camera_movement_direction": _movement,
    "camera_view_change": _view_change,
}
