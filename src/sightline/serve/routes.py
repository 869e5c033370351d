"""What each address does. A route is a function of the service and a request; to add one is to add a line to `ROUTES`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from sightline.geometry.boxes import box_centre
from sightline.serve.batcher import Answered
from sightline.serve.posted import read_point_request
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
    """`takes_json`: a request must declare its body as JSON, which no page of another origin can do unasked."""

    function: Callable[[Service, Request], Response]
    takes_json: bool = False


def health(service: Service, _request: Request) -> Response:
    """`GET /health`: 200, or 503 while the service stops."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if service.stopping else HTTPStatus.OK
    return Response(msgspec.json.encode(service.health()), status=status)


def point(service: Service, request: Request) -> Response:
    """`POST /v1/point`: a point in one of the pictures, or not visible."""
    with service.expecting() as submit:
        future = submit(read_point_request(request.body(), service.settings.limits))
    return Response(msgspec.json.encode(point_answer(service, service.result(future, end=request.end))))


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
}
"""By path and method."""
