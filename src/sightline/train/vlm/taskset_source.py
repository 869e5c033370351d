"""The examples of a task set as training samples: the question is the user's turn, the truth, as the dialect writes it, the answer.

The words are those of `sightline predict` and of every export, because all of them render in `export.rendered`.
"""

import difflib
import hashlib
import json
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from sightline.dialects import Dialect, Size
from sightline.dialects.render import render_with_clips
from sightline.errors import InputError
from sightline.export.rendered import render
from sightline.taskset.store import TaskSet
from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Turn
from sightline.types import DepthRef, Example, ImagePart, ImageRef, VideoPart


class TaskSetSource:
    """A task set in a dialect. `with_depth`: each picture comes with the depth of the view it shows. `whole_clips`: a clip is one
    video, not pictures after their times.

    Raises (when a sample is read):
        InputError: an answer that is no text (masks), or with depth a picture that has none or shows several views.
    """

    def __init__(
        self, taskset: TaskSet, dialect: Dialect, *, name: str | None = None, with_depth: bool = False, whole_clips: bool = False
    ) -> None:
        self.taskset = taskset
        self.dialect = dialect
        self.name = name or taskset.manifest.name
        self.with_depth = with_depth
        self.whole_clips = whole_clips

    @property
    def fingerprint(self) -> str:
        """Task set and dialect with its options."""
        said = [self.taskset.manifest.fingerprint, self.dialect.name, self.dialect.options(), self.with_depth]
        said += ["whole clips"] if self.whole_clips else []
        return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()

    def __len__(self) -> int:
        return len(self.taskset)

    def __getitem__(self, position: int) -> Sample:
        example = self.taskset[position]
        rendered = render(example, self.dialect)
        if self.whole_clips:
            return self._with_clips(example, rendered.answer)
        parts: list[str | Slot] = []
        num_images = 0
        for segment in rendered.segments:
            if isinstance(segment, str):
                parts.append(segment)
            else:
                parts.append(Slot("image", num_images))
                num_images += 1
        return Sample(
            id=example.id,
            source=self.name,
            turns=(Turn("user", tuple(parts)), Turn("assistant", (rendered.answer,))),
            images=tuple(self._picture(image) for image in rendered.images),
            depths=tuple(self._depth(example, image) for image in rendered.images) if self.with_depth else (),
        )

    def _with_clips(self, example: Example, answer: str) -> Sample:
        question = example.question
        parts: list[str | Slot] = []
        pictures: list[MediaRef] = []
        clips: list[FrameRun] = []
        for segment in render_with_clips(question.prompt, self.dialect, Size.all_of(question)):
            match segment:
                case str():
                    parts.append(segment)
                case ImagePart():
                    parts.append(Slot("image", len(pictures)))
                    pictures.append(self._picture(question.images[segment.image_index]))
                case VideoPart():
                    parts.append(Slot("video", len(clips)))
                    frames = tuple(self._picture(question.images[index]) for index in segment.image_indices)
                    clips.append(FrameRun(frames, segment.times_s))
        turns = (Turn("user", tuple(parts)), Turn("assistant", (answer,)))
        return Sample(id=example.id, source=self.name, turns=turns, images=tuple(pictures), videos=tuple(clips))

    def column(self, name: str) -> Sequence[object]:
        """A column of `index.parquet`, or `slices.NAME` for a number of the slices (nan where an example has none)."""
        if name.startswith("slices."):
            return self.taskset.slice_values(name.removeprefix("slices.")).tolist()
        import pyarrow as pa  # noqa: PLC0415 - slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415

        path = self.taskset.path / "index.parquet"
        names = pq.read_schema(path).names
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise InputError(
                f"{path}: no column {name!r} to filter by; did you mean {nearest!r}? It has {', '.join(names)}, and slices.NAME."
            )
        column = pq.read_table(path, columns=[name])[name].combine_chunks()
        if not pa.types.is_string(column.type):
            return column.to_pylist()
        coded = column.dictionary_encode()
        words = coded.dictionary.to_pylist()  # each once: a million examples share a few words
        return [None if code is None else words[code] for code in coded.indices.to_pylist()]

    def groups(self) -> Int64[np.ndarray, " n"]:
        """By the column "group": the scene or clip."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

        column = pq.read_table(self.taskset.path / "index.parquet", columns=["group"])["group"].combine_chunks()
        return column.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)

    def _picture(self, image: ImageRef) -> MediaRef:
        return MediaRef(self.taskset.file(image), size=(image.width, image.height), digest=image.digest)

    def _depth(self, example: Example, image: ImageRef) -> MediaRef:
        index = example.question.images.index(image)
        panels = [panel for panel in example.question.panels if panel.image_index == index]
        depth: DepthRef | None = panels[0].depth if len(panels) == 1 else None
        if depth is None:
            raise InputError(
                f"{self.taskset.path}, example {example.id!r}: depth is asked for, but picture {index} shows {len(panels)} views"
                f"{' without depth' if len(panels) == 1 else ''}. Train it without depth, or build the tasks from data that has it."
            )
        return MediaRef(self.taskset.file(depth), metres_per_unit=depth.metres_per_unit, codec="mm_u16")
