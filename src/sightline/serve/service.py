"""The model behind the service: one question in, one prediction out, whatever else is asked at the same time."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Literal

import numpy as np

from sightline import media
from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.evaluate.predict import read_reply
from sightline.models import Model
from sightline.models.baselines.baseline import Baseline
from sightline.models.model import Failure, replies_of
from sightline.serve.batcher import Answered, Batcher, Closed, Full
from sightline.serve.clips import ClipFolder
from sightline.serve.depth_maker import DepthMaker
from sightline.serve.pictures import ROOT, Posed, PostedSet
from sightline.serve.posted import Limits
from sightline.serve.refusal import Refusal, busy, wrong
from sightline.types import AnswerForm, ImagePart, ImageRef, Panel, Prediction, Question, Record, TextPart

WARM_UP_SIDE = 64
MASK_KINDS = ("sa2va", "baseline")
"""What `describe` calls models that answer where masks are asked for."""


class Settings(Record):
    """How requests are put together and how long they may take. `timeout_s`: from the first byte of a request to its answer."""

    max_batch: int
    max_wait_s: float = 0.02
    max_queue: int = 32
    timeout_s: float = 60.0
    limits: Limits = Limits()


class Service:
    """A model that many may ask at once. `stopping` is set when no more requests are taken."""

    def __init__(
        self, model: Model, settings: Settings, *, clips: ClipFolder | None = None, makes_depth: DepthMaker | None = None
    ) -> None:
        self.model, self.settings, self.clips, self.makes_depth = model, settings, clips, makes_depth
        self.kind: str = model.describe()["kind"]
        self.dialect: Dialect | None = model.dialect
        self.stopping = False
        self.batcher: Batcher[Posed, Prediction] = Batcher(
            self.answer, max_batch=settings.max_batch, max_wait_s=settings.max_wait_s, max_queue=settings.max_queue
        )

    def warm_up(self) -> None:
        """Load the weights of a checkpoint on this machine by asking it for something in a grey picture, and the depth network's.

        Raises:
            InputError: it cannot be loaded or cannot answer.
        """
        if self.kind not in ("huggingface", "roborefer", "sa2va"):
            return
        if self.makes_depth is not None:
            self.makes_depth.warm_up()
        (answer,) = self.answer([_grey_question("mask" if self.kind == "sa2va" else "point")])
        if isinstance(answer, Exception):
            raise answer

    @property
    def gives_masks(self) -> bool:
        """Whether the model answers where masks are asked for."""
        return self.kind in MASK_KINDS

    def needs_masks(self) -> None:
        """Refuse what only a model with masks can do.

        Raises:
            Refusal: 422, this one has none.
        """
        if not self.gives_masks:
            message = f"model {self.model.name!r} gives no masks"
            raise wrong(message, where="model", remedy="Serve one that does, such as sa2va:FOLDER, or ask /v1/point.")

    def needs_roborefer(self) -> None:
        """Refuse what only RoboRefer is asked so.

        Raises:
            Refusal: 422, this one is another model.
        """
        if self.kind != "roborefer":
            message = f"model {self.model.name!r} is no RoboRefer, whose own way of asking this is"
            raise wrong(message, where="model", remedy="Serve roborefer:FOLDER, or ask /v1/point.")

    @contextmanager
    def expecting(self) -> Iterator[Callable[[Posed], Future[Answered[Prediction]]]]:
        """Around the reading of a request; gives the function that puts its question into the queue.

        Raises:
            Refusal: 422 the model can do nothing with the question, for the reason given; 503 too many wait, or the service stops.
        """
        if self.stopping:
            raise stopping()
        if self.batcher.full:
            raise self._full()
        try:
            with self.batcher.expecting() as submit:
                yield lambda posed: submit(self._checked(posed))
        except Full:
            raise self._full() from None
        except Closed:
            raise stopping() from None

    def result(self, future: Future[Answered[Prediction]], *, end: float) -> Answered[Prediction]:
        """The prediction that was submitted, by the time `end` (of `time.monotonic`).

        Raises:
            Refusal: 503 the service stops; 504 no answer in time; 502 a server behind the model has none; 422 the model cannot
                work with this question.
        """
        try:
            return future.result(timeout=max(0.0, end - time.monotonic()))
        except Closed:
            raise stopping() from None
        except TimeoutError:
            if future.done():  # the model's own
                raise
            future.cancel()
            message = f"no answer within {self.settings.timeout_s:g} s ({self.batcher.num_waiting} others wait)"
            remedy = "Try again later, or start the service with a longer --request-timeout."
            raise Refusal(HTTPStatus.GATEWAY_TIMEOUT, message, where="model", remedy=remedy) from None
        except _NoAnswer as error:
            raise self._behind(str(error)) from error
        except InputError as error:
            raise self._unusable(error) from error

    def answer(self, posed: Sequence[Posed]) -> list[Prediction | Exception]:
        """What the model says to each question, in their order.

        Where it fails over several, they are asked again in halves, so that only the one at fault gets the error.
        """
        try:
            return self._together(posed)
        except Exception as error:
            if len(posed) == 1:
                return [error]
            middle = len(posed) // 2
            return [*self.answer(posed[:middle]), *self.answer(posed[middle:])]

    def health(self) -> dict[str, Any]:
        """What the service is and how it fares; plain JSON values."""
        counts = self.batcher.counts
        return {
            "status": "stopping" if self.stopping else "ok",
            "model": self.model.name,
            "dialect": None if self.dialect is None else self.dialect.name,
            "num_waiting": self.batcher.num_waiting,
            "max_queue": self.batcher.max_queue,
            "max_batch": self.batcher.max_batch,
            "num_answered": counts.num_answered,
            "num_failed": counts.num_failed,
            "num_dropped": counts.num_dropped,
            "num_batches": counts.num_batches,
            "largest_batch": counts.largest_batch,
        }

    def _checked(self, posed: Posed) -> Posed:
        lack = self.model.requires(posed.question) if isinstance(self.model, Baseline) and self.model.requires else None
        if lack is not None:
            remedy = "Send what is missing, or serve another model."
            raise wrong(f"model {self.model.name!r} cannot answer this: {lack}", where="images", remedy=remedy)
        return posed

    def _full(self) -> Refusal:
        return busy(f"{self.batcher.num_waiting} requests wait already", remedy="Try again after Retry-After seconds.")

    def _together(self, posed: Sequence[Posed]) -> list[Prediction | Exception]:
        questions = {one.question.id: one.question for one in posed}
        pictures = PostedSet(posed)
        try:
            replies = [pair for some in replies_of(self.model, questions.values(), pictures) for pair in some]
        finally:
            pictures.forget()
        found: dict[str, Prediction | Exception] = {}
        for question, reply in replies:
            failed = isinstance(reply, Failure)
            found[question.id] = _NoAnswer(reply.reason) if failed else read_reply(self.model, question, reply)
        return [found[one.question.id] for one in posed]

    def _unusable(self, error: InputError) -> Refusal:
        if self.kind == "openai":  # what such a server refuses is not the caller's to mend
            return self._behind(str(error))
        return wrong(str(error), where="question", remedy="Change what the message names, or serve another model.")

    def _behind(self, message: str) -> Refusal:
        remedy = "Look after the server behind this service."
        return Refusal(HTTPStatus.BAD_GATEWAY, f"model {self.model.name!r}: {message}", where="model", remedy=remedy)


class _NoAnswer(Exception):  # noqa: N818 - a verdict on the model's server
    """The server behind the model gave none."""


def stopping() -> Refusal:
    """503 while the service stops."""
    return busy("the service is stopping", remedy="Ask another one, or this one after it has been started again.", wait_s=5)


def _grey_question(shape: Literal["point", "mask"]) -> Posed:
    rgb = np.full((WARM_UP_SIDE, WARM_UP_SIDE, 3), 128, np.uint8)
    digest = media.pixel_digest(rgb)
    image = ImageRef(root=ROOT, path=digest, width=WARM_UP_SIDE, height=WARM_UP_SIDE, digest=digest)
    form = AnswerForm(shape=shape, image_index=0, offers_not_visible=True)
    question = Question(
        id="served/warm-up",
        task="served",
        prompt=(ImagePart(image_index=0), TextPart(text="\nWhere is the object?"), form),
        images=(image,),
        panels=(Panel(role="query", image_index=0, source=image),),
    )
    return Posed(question=question, rgb={digest: rgb})
