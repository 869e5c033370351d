"""Why a request gets no answer, as a status of HTTP and words for whoever sent it.

{"error": {"status": 422, "message": "a mark of 320 x 240 pixels ...", "where": "mark.mask", "remedy": "Send ..."}}
"""

from http import HTTPStatus

import msgspec


class Refusal(Exception):  # noqa: N818 - a verdict on the request
    """No answer. `where` names the field, header or address, `remedy` says what to do instead; `headers` go with the answer.

    `closes`: the connection cannot be used again, because it is not known where the next request on it begins.
    """

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        where: str,
        remedy: str,
        headers: dict[str, str] | None = None,
        closes: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.where, self.remedy = status, message, where, remedy
        self.headers, self.closes = headers or {}, closes

    def body(self) -> bytes:
        """The refusal as JSON."""
        error = {"status": int(self.status), "message": self.message, "where": self.where, "remedy": self.remedy}
        return msgspec.json.encode({"error": error})


def busy(message: str, *, remedy: str, wait_s: int = 1) -> Refusal:
    """503 with the time after which another try makes sense."""
    headers = {"Retry-After": str(wait_s)}
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, where="service", remedy=remedy, headers=headers)


def wrong(message: str, *, where: str, remedy: str) -> Refusal:
    """422: JSON of the right shape that makes no sense."""
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, message, where=where, remedy=remedy)
