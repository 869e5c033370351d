"""QA of one scene with 50 objects: all kinds of question, and beside it the plain loops over pairs and triples.

The plain way takes the distance of two boxes pair by pair (every corner to the other box, every two edges), and judges each triple
for itself. Both find the same distances (to 1e-9) and the same answers to the same triples. CPU time of this process.
"""

import itertools
import math
import time
from collections import Counter

import numpy as np

from sightline.geometry.oriented_boxes import EDGES, Boxes3, box_distances
from sightline.tasks.footage import Footage
from sightline.tasks.spatial.asking import ask_all
from sightline.tasks.spatial.direction import HARD, rulings
from sightline.tasks.spatial.facts import Found, Scene
from sightline.tasks.spatial.floor import floor_of_polygon
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.place import Moment, Place, PlacedObject
from sightline.types import Example, ImageRef, OrientedBox, Panel, VideoPart

NUM_OBJECTS = 50
NUM_FRAMES = 16
NUM_TRIPLES = 20_000
REPEATS = 3


def main() -> None:
    place, footage = a_room(seed=0)
    found: list[Example] = []

    def ask() -> None:
        found[:] = [each for each in ask_all(Scene(place, SpatialOptions()), footage, split="train") if isinstance(each, Example)]

    seconds = best_of(ask)
    kinds = Counter(each.tier for each in found)
    print(f"all questions: {seconds:.2f} s CPU for {NUM_OBJECTS} objects, {len(found)} examples of {len(kinds)} kinds")

    scene = Scene(place, SpatialOptions())
    fast = best_of(lambda: box_distances(scene.boxes))
    plain = best_of(lambda: plain_distances(scene.boxes), repeats=1)
    assert np.abs(box_distances(scene.boxes) - plain_distances(scene.boxes)).max() < 1e-9
    print(f"distances of {NUM_OBJECTS * (NUM_OBJECTS - 1) // 2} pairs: {fast:.3f} s; plain {plain:.2f} s; {plain / fast:.0f} times")

    triples = np.array(list(itertools.islice(itertools.permutations(range(NUM_OBJECTS), 3), NUM_TRIPLES)), dtype=np.int64)
    _ = scene.distances
    fast = best_of(lambda: rulings(scene, triples, HARD, Found()))
    plain = best_of(lambda: plain_directions(scene, triples), repeats=1)
    ruled = rulings(scene, triples, HARD, Found())
    ours = [answer if clear else None for answer, clear in zip(ruled.answers, ruled.clear.tolist(), strict=True)]
    assert ours == plain_directions(scene, triples)
    asked = sum(answer is not None for answer in ours)
    print(f"directions of {len(triples):,} triples ({asked:,} clear): {fast:.3f} s; plain {plain:.2f} s; {plain / fast:.0f} times")


def best_of(work, *, repeats: int = REPEATS) -> float:
    """The least CPU time of some runs, seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def a_room(seed: int) -> tuple[Place, Footage]:
    """Turned boxes strewn over a floor of 9 x 7 m, and a camera that walks around."""
    rng = np.random.default_rng(seed)
    objects = []
    for number in range(NUM_OBJECTS):
        lengths = rng.uniform(0.1, 0.9, 3)
        x, y = rng.uniform((0.5, 0.5), (8.5, 6.5))
        cos, sin = math.cos(number), math.sin(number)
        box = OrientedBox(
            centre=(float(x), float(y), float(lengths[2] / 2)),
            lengths=(float(lengths[0]), float(lengths[1]), float(lengths[2])),
            axes=(cos, sin, 0.0, -sin, cos, 0.0, 0.0, 0.0, 1.0),
        )
        objects.append(PlacedObject(object_id=f"{number}", label=f"object {max(number, 2)}", box=box))
    moments = []
    for number in range(NUM_FRAMES):
        cos, sin = math.cos(number / 3), math.sin(number / 3)
        pose = (-sin, 0.0, cos, 4.5 + 2 * cos, cos, 0.0, sin, 3.5 + 2 * sin, 0.0, -1.0, 0.0, 1.6, 0.0, 0.0, 0.0, 1.0)
        shares = {each.object_id: 0.02 for each in objects[: 4 * number + 4]}
        moments.append(Moment(frame_id=f"{number}", time_s=1.5 * number, camera_to_world=pose, shares=shares))
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 7.0), (0.0, 7.0))
    place = Place("room", tuple(objects), tuple(moments), floor_of_polygon(corners), (63.0,))
    images = tuple(
        ImageRef(root="data", path=f"{number}.png", width=640, height=480, digest="0" * 32) for number in range(NUM_FRAMES)
    )
    panels = tuple(Panel(role="frame", image_index=number, source=image) for number, image in enumerate(images))
    times = tuple(moment.time_s for moment in moments)
    part = VideoPart(image_indices=tuple(range(NUM_FRAMES)), times_s=times)
    return place, Footage(frames=tuple(range(NUM_FRAMES)), images=images, panels=panels, part=part)


def plain_distances(boxes: Boxes3) -> np.ndarray:
    """Pair by pair, corner by corner and edge by edge."""
    corners = boxes.corners()
    found = np.zeros((len(boxes), len(boxes)))
    for a, b in itertools.combinations(range(len(boxes)), 2):
        if meet(boxes, a, b):
            continue
        least = min(
            *(to_box(boxes, a, corner) for corner in corners[b]),
            *(to_box(boxes, b, corner) for corner in corners[a]),
            *(edge_to_edge(corners[a][e], corners[b][f]) for e in EDGES for f in EDGES),
        )
        found[a, b] = found[b, a] = least
    return found


def meet(boxes: Boxes3, a: int, b: int) -> bool:
    axes = [*boxes.axes[a], *boxes.axes[b], *(np.cross(u, v) for u in boxes.axes[a] for v in boxes.axes[b])]
    between = boxes.centres[b] - boxes.centres[a]
    for axis in axes:
        reach = sum(float(np.abs(boxes.axes[each] @ axis) @ boxes.lengths[each]) / 2 for each in (a, b))
        if abs(float(between @ axis)) > reach + 1e-12:
            return False
    return True


def to_box(boxes: Boxes3, index: int, point: np.ndarray) -> float:
    local = np.abs(boxes.axes[index] @ (point - boxes.centres[index])) - boxes.lengths[index] / 2
    return float(np.linalg.norm(np.maximum(local, 0)))


def edge_to_edge(first: np.ndarray, second: np.ndarray) -> float:
    """The distance where the common perpendicular meets both edges, else infinite: a corner is nearer then."""
    along, across, gap = first[1] - first[0], second[1] - second[0], first[0] - second[0]
    aa, bb, ab = along @ along, across @ across, along @ across
    determinant = aa * bb - ab * ab
    if determinant <= 1e-12 * aa * bb:
        return math.inf
    s, t = (ab * (across @ gap) - bb * (along @ gap)) / determinant, (aa * (across @ gap) - ab * (along @ gap)) / determinant
    return float(np.linalg.norm(gap + s * along - t * across)) if 0 <= s <= 1 and 0 <= t <= 1 else math.inf


def plain_directions(scene: Scene, triples: np.ndarray) -> list[str | None]:
    """The quarter of each triple, None where it may not be asked for."""
    return [plain_direction(scene, *triple) for triple in triples.tolist()]


def plain_direction(scene: Scene, a: int, b: int, c: int) -> str | None:
    options, plan = scene.options, scene.boxes.centres
    if not all(options.near_m <= scene.distances[pair] <= options.far_m for pair in ((a, b), (a, c), (b, c))):
        return None
    if min(math.dist(plan[a][:2], plan[b][:2]), math.dist(plan[a][:2], plan[c][:2])) < options.plan_min_m:
        return None
    angle = angle_to(plan[a], plan[b], plan[c])
    if angle % 90 < options.margin_deg or 90 - angle % 90 < options.margin_deg:
        return None
    stray = sum(angle_to(plan[a], plan[b], corner) // 90 != angle // 90 for corner in scene.corners[c])
    return None if stray > options.max_stray else HARD.answers[int(angle // 90)]


def angle_to(at: np.ndarray, facing: np.ndarray, asked: np.ndarray) -> float:
    ahead = math.atan2(facing[1] - at[1], facing[0] - at[0])
    return math.degrees(math.atan2(asked[1] - at[1], asked[0] - at[0]) - ahead) % 360


if __name__ == "__main__":
    main()
