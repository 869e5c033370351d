"""Score a folder of saved masks: every video in a process of its own, the longest first."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sightline.errors import InputError
from sightline.evaluate.vos.protocols import NEEDS_META, PROTOCOLS, Folders, ObjectScores
from sightline.evaluate.vos.saved import list_videos
from sightline.evaluate.vos.table import Split
from sightline.files import read_json
from sightline.worker_process import settle_worker

NAMED = 5


def score_folder(
    folders: Folders, protocol: str, *, workers: int = 1, on_progress: Callable[[int, int], None] | None = None
) -> list[ObjectScores]:
    """Every object of every annotated video, in order.

    `on_progress` is called with (videos done, videos in all).

    Raises:
        FileNotFoundError, InputError: no such folder, predictions missing or of another size, an unknown protocol, or one that
            needs the data set's `meta.json`.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"no protocol is called {protocol!r}; the protocols are: {', '.join(PROTOCOLS)}.")
    if protocol in NEEDS_META and folders.meta is None:
        raise InputError(f"protocol {protocol} scores the frames that the data set's meta.json lists: give it with --meta FILE.")
    videos = list_videos(folders.truth)
    _check_videos(folders, videos, protocol)
    longest_first = sorted(videos, key=lambda video: -sum(1 for _ in (folders.truth / video).rglob("*.png")))
    found: dict[str, list[ObjectScores]] = {}
    report = on_progress or (lambda *_: None)
    report(0, len(videos))
    for video, scores in _run(folders, protocol, longest_first, workers):
        found[video] = scores
        report(len(found), len(videos))
    return [each for video in videos for each in found[video]]


def read_meta(path: Path) -> Mapping[str, Any]:
    """The `videos` of a `meta.json`.

    Raises:
        FileNotFoundError, InputError: no such file, or none of this form.
    """
    content = read_json(path, dict[str, Any])
    videos = content.get("videos")
    if not isinstance(videos, dict):
        raise InputError(f'{path}: expected {{"videos": {{...}}}}, as YouTube-VOS, LVOS and MOSE write it.')
    return videos


def _run(folders: Folders, protocol: str, videos: list[str], workers: int) -> Iterator[tuple[str, list[ObjectScores]]]:
    if workers <= 1 or len(videos) == 1:
        yield from ((video, PROTOCOLS[protocol](folders, video)) for video in videos)
        return
    with ProcessPoolExecutor(min(workers, len(videos)), get_context("spawn"), initializer=settle_worker) as pool:
        futures = {pool.submit(_score_in_worker, folders, protocol, video): video for video in videos}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise InputError("a scoring process died (out of memory?). Run the same command with fewer --workers.") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _score_in_worker(folders: Folders, protocol: str, video: str) -> list[ObjectScores]:
    return PROTOCOLS[protocol](folders, video)


def _check_videos(folders: Folders, videos: list[str], protocol: str) -> None:
    present = set(list_videos(folders.predicted))
    missing = [video for video in videos if video not in present]
    if missing and protocol != "mose2":  # where a missing video counts as 0
        raise InputError(
            f"{folders.predicted} has no masks of {len(missing)} of {len(videos)} videos: {', '.join(missing[:NAMED])}"
            f"{', ...' if len(missing) > NAMED else ''}. Predict them; a score of the rest would be of another set."
        )


def read_split(path: Path, meta: Mapping[str, Any] | None) -> Split:
    """The unseen videos or categories of a text file; `meta` says which category each object is of.

    Raises:
        FileNotFoundError: no such file.
        InputError: nothing in it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of unseen videos or categories.")
    names = frozenset(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if not names:
        raise InputError(f"{path} is empty; expected the unseen videos or categories, one a line.")
    categories = {
        (video, object_id): item.get("category", "")
        for video, described in (meta or {}).items()
        for object_id, item in described.get("objects", {}).items()
        if isinstance(item, dict)
    }
    return Split(unseen=names, category_of=categories)
