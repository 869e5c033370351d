"""What each address does. A route is a function of the service and a request; to add one is to add a line to `ROUTES`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from sightline.geometry.boxes import box_centre
from sightline.serve.batcher import Answered
from sightline.serve.page import PAGE_HEADERS, page_file
from sightline.serve.posted import read_point_request
from sightline.serve.query import read_query
from sightline.serve.refusal import Refusal
from sightline.serve.segmenting import (
    about,
    frames_answer,
    read_frames_request,
    read_segment_request,
    segment_answer,
    submitted,
    timing,
)
from sightline.serve.service import Service
from sightline.types import Boxes, NotVisible, Points, Prediction

JSON = "application/json"


@dataclass(frozen=True, eq=False)
class Request:
    """A request as it came. `body` reads it, all of it, when it is called; `end` is the time (of `time.monotonic`) by which the
    answer has to be there."""

    body: Callable[[], bytes]
    end: float


@dataclass(frozen=True)
class Response:
    """An answer as it is sent."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """`takes_json`: a request must declare its body as JSON, which no page of another origin can do unasked. `is_page`: it is a
    file of our own page, which needs no token."""

    function: Callable[[Service, Request], Response]
    takes_json: bool = False
    is_page: bool = False


def health(service: Service, _request: Request) -> Response:
    """`GET /health`: 200, or 503 while the service stops."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if service.stopping else HTTPStatus.OK
    return Response(msgspec.json.encode(service.health()), status=status)


def point(service: Service, request: Request) -> Response:
    """`POST /v1/point`: a point in one of the pictures, or not visible."""
    with service.expecting() as submit:
        future = submit(read_point_request(request.body(), service.settings.limits))
    return Response(msgspec.json.encode(point_answer(service, service.result(future, end=request.end))))


def query(service: Service, request: Request) -> Response:
    """`POST /query`, RoboRefer's own form: its words as they are."""
    service.needs_roborefer()
    with service.expecting() as submit:
        future = submit(read_query(request.body(), service.settings.limits, makes_depth=service.makes_depth))
    said = service.result(future, end=request.end).value
    return Response(msgspec.json.encode({"result": 1, "answer": said.text or ""}))


def segment(service: Service, request: Request) -> Response:
    """`POST /v1/segment`: text, masks and boxes in a picture or a clip."""
    service.needs_masks()
    with service.batcher.expecting(), service.expecting() as submit:  # nothing begins before all expressions wait
        posted, clip, posed = read_segment_request(request.body(), service.settings.limits, service.clips)
        futures = submitted(submit, posed)
    answered = [service.result(future, end=request.end) for future in futures]
    answers = [
        segment_answer(one.value, expression, clip, posted.masks)
        for one, expression in zip(answered, posted.expressions, strict=True)
    ]
    return Response(msgspec.json.encode(about(clip) | {"answers": answers} | timing(service.model.name, answered)))


def frames(service: Service, request: Request) -> Response:
    """`POST /v1/frames`: the frames that `/v1/segment` would show the model, as pictures."""
    service.needs_masks()
    return Response(msgspec.json.encode(frames_answer(read_frames_request(request.body(), service.settings.limits, service.clips))))


def clips(service: Service, _request: Request) -> Response:
    """`GET /v1/clips`: the names of the clips that are served, and what the limits are."""
    service.needs_masks()
    names = [] if service.clips is None else service.clips.names()
    limits = service.settings.limits
    told = {"clips": names, "max_frames": limits.max_frames, "max_body_bytes": limits.max_body_bytes, "model": service.model.name}
    return Response(msgspec.json.encode(told))


def page(name: str) -> Callable[[Service, Request], Response]:
    """A file of the page that is made for looking at masks."""

    def answer(service: Service, _request: Request) -> Response:
        if not service.gives_masks:
            remedy = "Ask POST /v1/point; the page is for models with masks, such as sa2va:FOLDER."
            raise Refusal(HTTPStatus.NOT_FOUND, f"model {service.model.name!r} gives no masks", where="path", remedy=remedy)
        content, kind = page_file(name)
        return Response(content, content_type=kind, headers=PAGE_HEADERS)

    return answer


def point_answer(service: Service, answered: Answered[Prediction]) -> dict[str, Any]:
    """A prediction as plain JSON values; coordinates in pixels of the picture as it was sent."""
    prediction = answered.value
    return {
        "answer": _located(prediction),
        "status": prediction.reading.status,
        "raw": prediction.text,
        "notes": list(prediction.reading.notes),
        "num_found": prediction.reading.num_found,
        "model": service.model.name,
        "batch_size": answered.batch_size,
        "waited_ms": round(1000 * answered.waited_s, 1),
        "model_ms": round(1000 * answered.model_s, 1),
    }


def _located(prediction: Prediction) -> dict[str, Any] | None:
    match prediction.reading.answer:
        case NotVisible():
            return {"kind": "not_visible"}
        case Points(points=((x, y), *_), image_index=image_index):
            return {"kind": "point", "x": x, "y": y, "image": image_index}
        case Boxes(boxes=(box, *_), image_index=image_index):
            x, y = box_centre(box)
            return {"kind": "point", "x": x, "y": y, "image": image_index}
    return None


ROUTES: dict[str, dict[str, Route]] = {
    "/health": {"GET": Route(health)},
    "/v1/point": {"POST": Route(point, takes_json=True)},
    "/query": {"POST": Route(query, takes_json=True)},
    "/v1/segment": {"POST": Route(segment, takes_json=True)},
    "/v1/frames": {"POST": Route(frames, takes_json=True)},
    "/v1/clips": {"GET": Route(clips)},
    "/": {"GET": Route(page("page.html"), is_page=True)},
    "/page.css": {"GET": Route(page("page.css"), is_page=True)},
    "/page.js": {"GET": Route(page("page.js"), is_page=True)},
    "/viewer.js": {"GET": Route(page("viewer.js"), is_page=True)},
}
"""By path and method."""
