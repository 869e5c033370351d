"""From settings to what is trained on: the checkpoint's way of writing, the sources, their token counts, the plan."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.train.vlm.chat import Chat, open_chat
from sightline.train.vlm.curriculum import Training, plan_training
from sightline.train.vlm.films import TakesFilms
from sightline.train.vlm.lengths import Counts, Progress, token_counts
from sightline.train.vlm.mixture import Opening, open_mixture, open_path, read_registry
from sightline.train.vlm.samples import Source
from sightline.train.vlm.scene_guard import check_scenes
from sightline.train.vlm.settings import VlmSettings

Report = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """All of a run that needs no weights."""

    chat: Chat
    training: Training

    def fingerprints(self) -> dict[str, str]:
        """What must be the same when the run goes on: the sources as counted. With the settings they give the plan, whose steps
        do not depend on how many follow."""
        named = zip(self.training.sources, self.training.counts, strict=True)
        return {f"data.{source.name}": _counted(counts) for source, counts in named}


def prepare(settings: VlmSettings, *, progress: Progress = lambda *_: None, report: Report = lambda _: None) -> Prepared:
    """Open, count and plan.

    Raises:
        FileNotFoundError: no such checkpoint, registry, file or task set.
        InputError: a name that the registry does not have, a filter that leaves nothing, samples that are too long for a row or
            for the model, or fewer planned steps than `trainer.max_steps`; the message names them.
    """
    folder = Path(settings.model.path)
    chat = open_chat(folder, settings.model.options, max_frames=settings.data.max_frames, view=settings.view)
    sources = open_sources(settings, chat, report=report)
    if not settings.data.allow_shared_scenes:
        check_scenes(sources)
    data = settings.data
    counts = [
        token_counts(source, chat, cache=Path(data.counts_dir), num_workers=data.num_workers, progress=progress)
        for source in sources
    ]
    training = plan_training(
        sources,
        counts,
        stages=settings.mixtures(sources[0].name),
        batching=settings.data.rows,
        seed=settings.seed,
        on_bad_sample=settings.data.on_bad_sample,
    )
    prepared = Prepared(chat, training)
    _check_context(training, chat, folder)
    _check_steps(training, settings.trainer.max_steps)
    return prepared


def open_sources(settings: VlmSettings, chat: Chat, *, report: Report = lambda _: None) -> tuple[Source, ...]:
    """The sources of all stages, each once; raises as `prepare`."""
    data = settings.data
    opening = Opening(
        chat.dialect,
        with_depth=data.with_depth,
        depth_codec=data.depth_codec,
        report=report,
        whole_clips=isinstance(chat.labeller.processor, TakesFilms),
    )
    sources: list[Source] = []
    if data.path is not None:
        media_root = None if data.media_root is None else Path(data.media_root)
        sources.append(open_path(Path(data.path), opening, media_root=media_root))
    if terms := settings.terms:
        assert data.registry is not None, "settings refuse a mixture without one"
        sources += open_mixture(terms, read_registry(Path(data.registry)), opening)
    return tuple(sources)


def _counted(counts: Counts) -> str:
    """Changes with the source and with the length of any sample; one that can be read again has another."""
    digest = hashlib.blake2b(counts.fingerprint.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(counts.tokens, "<i4").data)
    return digest.hexdigest()


def _check_context(training: Training, chat: Chat, folder: Path) -> None:
    """Longer rows than the model's context are sound, longer samples are not: positions start anew with each sample."""
    context = chat.checkpoint.context
    if context is None:
        return
    for table, (source, counts) in enumerate(zip(training.sources, training.counts, strict=True)):
        first, end = training.plan.offsets[table : table + 2]
        used = np.unique(training.plan.samples[(training.plan.samples >= first) & (training.plan.samples < end)]) - first
        tokens = counts.tokens[used]
        if used.size and int(tokens.max()) > context:
            longest = int(used[np.argmax(tokens)])
            raise InputError(
                f"{source.name}, sample {source[longest].id!r}: {int(tokens.max()):,} tokens; {folder} has a context of "
                f"{context:,} (max_position_embeddings). {int((tokens > context).sum()):,} samples are longer. Set "
                f"data.tokens_per_sample={context} with data.on_bad_sample=drop, or lower model.max_pixels or data.max_frames."
            )


def _check_steps(training: Training, max_steps: int) -> None:
    if training.plan.num_steps != max_steps:
        raise InputError(
            f"the stages end at step {training.plan.num_steps}, trainer.max_steps is {max_steps}. Give the last stage no "
            "until_step, or the same number."
        )
