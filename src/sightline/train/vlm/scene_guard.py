"""No training on scenes that are tested on: the recordings of task sets, and the scenes that records of conversations are about.

Compared with `taskset.scene_lists` (VSI-Bench, ViewSpatial-Bench, and the validation splits of ScanNet, ScanNet++ and ARKitScenes).
"""

from collections.abc import Iterator, Sequence

from sightline.errors import InputError
from sightline.taskset.leaks import check_scenes_of, read_sightings
from sightline.taskset.recordings import canonical_id
from sightline.taskset.registry import Sighting
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.samples import Source
from sightline.train.vlm.taskset_source import TaskSetSource


def check_scenes(sources: Sequence[Source]) -> None:
    """Raise InputError if a source is about a scene that is tested on; the message names the scenes and the remedy."""
    try:
        check_scenes_of(sighting for source in sources for sighting in _sightings(source))
    except InputError as error:
        raise InputError(f"{error} If you mean it, and do not report these benchmarks: data.allow_shared_scenes=true.") from error


def _sightings(source: Source) -> Iterator[Sighting]:
    match source:
        case TaskSetSource(taskset=taskset):
            yield from read_sightings(taskset.path)
        case JsonSource():
            for video_id in dict.fromkeys(canonical_id(str(scene)) for scene in source.scenes()):
                yield Sighting(video_id=video_id, dataset=source.name, split="train")
