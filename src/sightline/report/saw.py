"""What a run's model saw of an example: its pictures at the sizes as processed, and the places as its dialect writes them.

Sizes come from the prediction where the run recorded them, else from what `run.json` declares (the limits of `qwen25`, the longer
side of pictures as sent); a run that says neither was given the pictures as they are stored.
"""

from typing import Any

from sightline.dialects import Dialect, Size, get_dialect
from sightline.dialects.qwen25 import qwen25
from sightline.dialects.sent import AsSent, sent_size
from sightline.evaluate.run import RunInfo
from sightline.geometry.resize import smart_resize
from sightline.report.markup import show_hidden
from sightline.report.pictures import Processed
from sightline.types import Answer, Boxes, Example, Points, Prediction

LIMITS = ("factor", "min_pixels", "max_pixels")
SENT = "sent_max_side"


class Eyes:
    """A run's way of seeing: its dialect with the options that `run.json` holds; `dialect` is None if it answers in geometry."""

    def __init__(self, info: RunInfo) -> None:
        options = info.dialect_options
        self.max_side: int | None = options.get(SENT)
        self.limits: dict[str, int] = {name: options[name] for name in LIMITS if name in options}
        self.dialect: Dialect | None = None
        if info.dialect is not None:
            family = qwen25(**self.limits) if info.dialect == "qwen25" else get_dialect(info.dialect)
            self.dialect = family if self.max_side is None else AsSent(family, self.max_side)

    @property
    def name(self) -> str:
        """The dialect's name, with its options where they are not the family's defaults; "" without a dialect."""
        if self.dialect is None:
            return ""
        options = self.dialect.options()
        if options == get_dialect(self.dialect.name).options():
            return self.dialect.name
        return f"{self.dialect.name} ({', '.join(f'{name} {value}' for name, value in options.items())})"

    def saw(self, example: Example, prediction: Prediction) -> dict[str, Any]:
        """As plain values: `sizes` (width, height) of each picture as processed, `[]` where they are those stored; `how` they are
        known ("recorded", "declared" or "stored"); `pictures`, the file of each at that size, "" where it is too large for one;
        `written` and `truth_written`, the places in the dialect's numbers."""
        sizes, how = self._sizes(example, prediction)
        names = [picture.name for picture in self.processed(example, prediction)]
        return {
            "sizes": sizes,
            "how": how,
            "pictures": [f"assets/{name}" if name else "" for name in names],
            "written": self._written(example, prediction.reading.answer),
            "truth_written": self._written(example, example.truth.answer),
        }

    def processed(self, example: Example, prediction: Prediction) -> list[Processed]:
        """The pictures of the question as the model was given them; none where that is as they are stored, and none of a clip:
        its frames are too many to be written twice."""
        if example.question.clip is not None:
            return []
        sizes, _ = self._sizes(example, prediction)
        by_area = self.max_side is not None
        return [Processed(ref, *size, by_area=by_area) for ref, size in zip(example.question.images, sizes, strict=False)]

    def _sizes(self, example: Example, prediction: Prediction) -> tuple[list[tuple[int, int]], str]:
        question = example.question
        slots = question.slots
        recorded = prediction.exposure.processed_sizes if prediction.exposure else ()
        if len(recorded) == len(slots):
            by_image = dict(zip(slots, recorded, strict=True))
            return [by_image.get(index, (image.width, image.height)) for index, image in enumerate(question.images)], "recorded"
        if not self.limits and self.max_side is None:
            return [], "stored"
        return [self._declared(Size.of(image)) for image in question.images], "declared"

    def _declared(self, picture: Size) -> tuple[int, int]:
        sent = picture if self.max_side is None else sent_size(picture, self.max_side)
        return smart_resize(sent.width, sent.height, **self.limits) if self.limits else (sent.width, sent.height)

    def _written(self, example: Example, answer: Answer | None) -> list[str]:
        images = example.question.images
        match answer:
            case Points(image_index=index) | Boxes(image_index=index) if self.dialect is not None and 0 <= index < len(images):
                picture = Size.of(images[index])
                if isinstance(answer, Points):
                    return [show_hidden(self.dialect.point(x, y, picture)) for x, y in answer.points]
                return [show_hidden(self.dialect.box(box, picture)) for box in answer.boxes]
        return []
