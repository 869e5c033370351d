"""The sources of a run: task sets of masks, task sets of words, and files of conversations, by path or by a registry's names."""

from collections.abc import Callable
from pathlib import Path

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.train.sa2va.chat import ChatSource
from sightline.train.sa2va.conversations import Spoken
from sightline.train.sa2va.grounded import TASKS, GroundedSource
from sightline.train.sa2va.plan import Weighted
from sightline.train.sa2va.settings import DataSettings
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.mixture import Registered, read_registry
from sightline.train.vlm.taskset_source import TaskSetSource

Report = Callable[[str], None]


def open_sources(settings: DataSettings, *, report: Report = lambda _: None) -> tuple[Weighted, ...]:
    """What `data` names.

    Args:
        report: is told of what is noteworthy in a file of conversations.

    Raises:
        FileNotFoundError: a file or folder that is not there.
        InputError: a name that the registry does not have, or a source that cannot be learnt from.
    """
    if settings.path is not None:
        entry = _entry(Path(settings.path), settings.media_root)
        return (Weighted(_opened(entry, settings, name=None, report=report)),)
    assert settings.registry is not None, "settings refuse a mixture without one"
    registry = read_registry(Path(settings.registry))
    found = []
    for term in settings.terms:
        if term.name not in registry:
            raise InputError(f"data.mixture: {term.name!r} is not in {settings.registry}. It has {', '.join(registry)}.")
        source = _opened(registry[term.name], settings, name=term.name, report=report)
        found.append(Weighted(source, term.weight, term.percent))
    return tuple(found)


def _entry(path: Path, media_root: str | None) -> Registered:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder. data.path is a task set's folder, or a JSON or JSONL file.")
    if path.is_dir():
        if media_root is not None:
            raise InputError(f"{path}: a task set knows where its media lie (roots.json); leave data.media_root out.")
        return Registered(taskset=str(path))
    return Registered(annotation_path=str(path), media_root=media_root)


def _opened(entry: Registered, settings: DataSettings, *, name: str | None, report: Report) -> Spoken:
    if entry.taskset is None:
        assert entry.annotation_path is not None, "a registry's entry has one of them"
        root = Path(entry.media_root) if entry.media_root else None
        source = JsonSource(Path(entry.annotation_path), media_root=root, name=name, depth_codec=None, report=report)
        return ChatSource(source, max_frames=settings.max_frames)
    taskset = TaskSet(Path(entry.taskset))
    if taskset.manifest.task in TASKS:
        return GroundedSource(taskset, settings, name=name)
    if settings.dialect is None:
        raise InputError(
            f"{taskset.path}: a task set of {taskset.manifest.task}, which is answered in words. Set data.dialect to how places "
            f"are written, or build {' or '.join(TASKS)}."
        )
    return ChatSource(TaskSetSource(taskset, get_dialect(settings.dialect), name=name), max_frames=settings.max_frames)
