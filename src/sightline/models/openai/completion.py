"""What a server that speaks the OpenAI chat protocol sends back.

    200   {"choices": [{"message": {"content": "[(0.4, 0.2)]"}, "finish_reason": "stop"}],
           "usage": {"prompt_tokens": 812, "completion_tokens": 9}}
    else  {"error": {"message": "..."}}, {"message": "..."}, {"detail": "..."}, or plain text

The content may also come in pieces, or be null beside a refusal. Source: OpenAI API reference, chat completions.
"""

from typing import Any

import msgspec

from sightline.models.model import Said, Usage
from sightline.types import Exposure

DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class NotACompletion(Exception):  # noqa: N818 - a verdict on what came
    """The body is something else, and why."""


class _Piece(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Piece] | None = None
    refusal: str | None = None

    def text(self) -> str:
        pieces = self.content if isinstance(self.content, list) else [_Piece(text=self.content)]
        return "".join(piece.text or "" for piece in pieces) or self.refusal or ""


class _Alternative(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Tokens(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Alternative]
    usage: _Tokens | None = None


def read_completion(content: bytes) -> Said:
    """The first alternative of a completion, with its tokens; an empty text where it has neither content nor refusal.

    Raises:
        NotACompletion: other JSON, none, or no alternatives.
    """
    try:
        completion = msgspec.json.decode(content, type=_Completion)
    except DECODING_ERRORS as error:
        raise NotACompletion(f"not an answer ({error}): {error_message(content)}") from error
    if not completion.choices:
        raise NotACompletion("an answer without choices")
    choice, tokens = completion.choices[0], completion.usage or _Tokens()
    return Said(
        text=choice.message.text(),
        cut=choice.finish_reason == "length",
        usage=Usage(prompt_tokens=tokens.prompt_tokens or 0, answer_tokens=tokens.completion_tokens or 0),
        exposure=Exposure(num_prompt_tokens=tokens.prompt_tokens, num_answer_tokens=tokens.completion_tokens),
    )


def error_message(content: bytes) -> str:
    """What an error body says: `error.message`, `message` or `detail`, or its beginning."""
    text = content.decode("utf-8", "replace")
    try:
        found: Any = msgspec.json.decode(content)
    except DECODING_ERRORS:
        return text or "no text"
    if isinstance(found, dict):
        error = found.get("error", found)
        for name in ("message", "detail"):
            if isinstance(error, dict) and error.get(name):
                return str(error[name])
        if isinstance(error, str):
            return error
    return text
