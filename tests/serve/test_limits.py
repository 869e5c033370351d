"""Requests that are too large, too slow, wrong or hostile: a 4xx that says what, where and what to do, and the service goes on."""

import base64
import contextlib
import json
import socket
import struct
import zlib

import numpy as np
import pytest

from sightline import media
from sightline.models import get_model
from sightline.serve import connection, server
from sightline.serve.posted import Limits
from tests.serve.served import PATIENCE_S, Answer, Client, as_base64, picture, sent, served

A = sent(picture())
SMALL = Limits(max_body_bytes=400_000, max_pixels=60_000, max_images=3)


@pytest.fixture(scope="module")
def service():
    with served(get_model("center"), limits=SMALL) as running:
        yield running


def good(client: Client) -> bool:
    return client.post({"images": [A], "question": "Where?"}).status == 200


@pytest.mark.parametrize(
    ("value", "where", "said"),
    [
        ({}, "body", "missing required field `images`"),
        ({"images": []}, "images", "expected 1 to 3"),
        ({"images": [A] * 4}, "images", "4 pictures"),
        ({"images": "A"}, "images", "Expected `array`"),
        ({"images": [7]}, "images[0]", "got `int`"),
        ({"images": [None]}, "images[0]", "got `null`"),
        ({"images": [A], "question": "x" * 5000}, "question", "5,000 characters"),
        ({"images": [A], "question": " "}, "question", "no question"),
        ({"images": [A], "question": "?", "answer_in": 1}, "answer_in", "no picture 1"),
        ({"images": [A], "question": "?", "answer_in": -1}, "answer_in", "no picture -1"),
        ({"images": [A], "question": "?", "answer_in": 0.5}, "answer_in", "Expected `int | null`"),
        ({"images": [A], "question": "?", "questoin": "?"}, "body", "unknown field `questoin`"),
        ({"images": [A], "question": "?", "offer_not_visible": 1}, "offer_not_visible", "Expected `bool`"),
        ({"images": [A], "question": "?", "mark": {}}, "mark", "none of them"),
        ({"images": [A], "question": "?", "mark": {"point": [1, 1], "box": [1, 1, 2, 2]}}, "mark", "box and point"),
        ({"images": [A], "question": "?", "mark": {"point": [161, 1]}}, "mark.point", "(161, 1) is not in the picture"),
        ({"images": [A], "question": "?", "mark": {"point": [1]}}, "mark.point", "length 2"),
        ({"images": [A], "question": "?", "mark": {"box": [9, 9, 9, 20]}}, "mark.box", "no box in the picture"),
        ({"images": [A], "question": "?", "mark": {"box": [0, 0, 1e308, 20]}}, "mark.box", "no box in the picture"),
        ({"images": [A], "question": "?", "mark": {"box": [0, 0, 9, 9], "drawn": "overlay"}}, "mark.drawn", "cannot be drawn"),
        ({"images": [A], "question": "?", "mark": {"mask": {"size": [120, 160], "counts": "zz"}}}, "mark.mask", "mask code"),
        ({"images": [A], "question": "?", "mark": {"mask": {"size": [10**9, 10**9], "counts": "0"}}}, "mark.mask", "size must be"),
        ({"images": [A], "question": "?", "mark": {"mask": {"size": [2, 2], "counts": "211"}}}, "mark.mask", "2 x 2 pixels"),
        ({"images": [A], "question": "?", "mark": {"mask": {"size": [120, 160], "counts": "P\\b"}}}, "mark.mask", "mask"),
        ({"images": ["/etc/passwd"], "question": "?"}, "images[0]", "not base64"),
        ({"images": ["file:///etc/passwd"], "question": "?"}, "images[0]", "not base64"),
        ({"images": ["http://127.0.0.1/a.png"], "question": "?"}, "images[0]", "not base64"),
        ({"images": ["data:image/png,abc"], "question": "?"}, "images[0]", "expected one in base64"),
        ({"images": [A, "ABCD"], "question": "?"}, "images[1]", "expected a PNG, JPEG or WebP"),
        ({"images": [""], "question": "?"}, "images[0]", "expected a PNG, JPEG or WebP"),
        ({"images": [{"image": A, "depth": A}], "question": "?"}, "images[0].depth", "one 16-bit channel"),
    ],
)
def test_what_makes_no_sense_is_422_and_named(service, value, where, said) -> None:
    answer = service.post(value)
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.error["where"] == where
    assert said in answer.error["message"]
    assert answer.error["remedy"]
    assert good(service)


def test_an_empty_mask_is_refused(service) -> None:
    mask = as_base64(media.encode_grey_png(np.zeros((120, 160), np.uint8)))
    answer = service.post({"images": [A], "question": "?", "mark": {"mask": mask}})
    assert (answer.status, answer.error["message"]) == (422, "the mask has no pixel")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fx": 0.0}, "focal length of 0"),
        ({"camera_to_world": [2.0, *np.eye(4).ravel()[1:]]}, "not a rigid transform"),
        ({"camera_to_world": [1.0] * 15}, "length >= 16"),
    ],
)
def test_a_camera_that_can_be_none_is_refused(service, change, said) -> None:
    camera = {"fx": 99.0, "fy": 99.0, "cx": 80.0, "cy": 60.0, "camera_to_world": list(np.eye(4).ravel())} | change
    answer = service.post({"images": [{"image": A, "camera": camera}], "question": "?"})
    assert answer.status == 422
    assert said in answer.error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"nothing",
        b'{"images": [NaN], "question": "?"}',
        b'{"question": "' + b"\\ud800" + b'"}',
        b'{"images": ["' + b"\x00" + b'"]}',
    ],
)
def test_what_is_no_json_is_400(service, body) -> None:
    answer = service.post(body)
    assert (answer.status, answer.error["where"]) == (400, "body")
    assert good(service)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 30_000,
        b'{"mark":{"mask":' + b'{"size":' * 20_000,
        b'{"images": [1e99999], "question": "?"}',
        b'{"images": ["A"], "answer_in": ' + b"9" * 100_000 + b"}",
        b'{"images": ["A"], "answer_in": 99999999999999999999}',
    ],
)
def test_hostile_json_is_4xx(service, body) -> None:
    assert service.post(body).status in (400, 422)
    assert good(service)


def test_a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded(service) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def png(width: int, height: int) -> str:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return as_base64(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))

    assert service.post({"images": [png(60_000, 60_000)], "question": "?"}).status == 422
    # without a single pixel in the file: its size alone is too much
    answer = service.post({"images": [png(300, 201)], "question": "?"})
    assert (answer.status, answer.error["where"]) == (413, "images[0]")
    assert "60,300 pixels; 60,000" in answer.error["message"]


def test_pixels_are_counted_over_all_pictures(service) -> None:
    # 160 x 120 = 19,200: three are 57,600 of 60,000, and a mask of a fourth picture's size is too many
    assert service.post({"images": [A] * 3, "question": "?"}).status == 200
    mask = as_base64(media.encode_grey_png(np.full((120, 160), 255, np.uint8)))
    answer = service.post({"images": [A] * 3, "question": "?", "mark": {"mask": mask}})
    assert (answer.status, answer.error["where"]) == (413, "mark.mask")


def test_a_truncated_picture_is_named(service) -> None:
    content = media.encode_png(picture())
    answer = service.post({"images": [as_base64(content[: len(content) // 2])], "question": "?"})
    assert (answer.status, answer.error["where"]) == (422, "images[0]")
    assert "truncated or damaged" in answer.error["message"]


def test_a_body_that_is_too_long_is_refused_and_the_sender_gets_the_answer(service) -> None:
    answer = service.post(b"x" * 8_000_000)
    assert (answer.status, answer.error["where"]) == (413, "body")
    assert "at most 400,000" in answer.error["message"]
    assert answer.headers["Connection"] == "close"
    assert good(service)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 411),
        ("Transfer-Encoding: chunked\r\n", 411),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 411),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: 0x10\r\n", 400),
        ("Content-Length: +2\r\n", 400),
        (f"Content-Length: {'9' * 5000}\r\n", 400),
        ("Content-Length: 999999999999\r\n", 413),
        ("Content-Length: 999999999999\r\nExpect: 100-continue\r\n", 413),
    ],
)
def test_lengths_that_cannot_be_trusted_are_refused(service, headers, status) -> None:
    lines = f"POST /v1/point HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n{{}}"
    assert raw(service, lines.encode()).status == status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /health HTTP/9.9\r\n\r\n", 505),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_refused_as_json(service, line, status) -> None:
    answer = raw(service, line)
    assert answer.status == status
    assert answer.error["status"] == status
    assert good(service)


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken_so_that_no_web_page_can_post_unasked(service, kind) -> None:
    answer = service.post({"images": [A], "question": "?"}, Content_Type=kind)
    assert (answer.status, answer.error["where"]) == (415, "Content-Type")
    assert service.post({"images": [A], "question": "?"}, Content_Type="Application/JSON; charset=utf-8").status == 200


@pytest.mark.parametrize("path", ["/v1/", "/page", "/v1/point/", "/../../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd", "/v1"])
def test_there_is_nothing_at_other_addresses(service, path) -> None:
    answer = service.get(path)
    assert (answer.status, answer.error["where"]) == (404, "path")
    assert "POST /v1/point" in answer.error["remedy"]


def test_other_methods_are_405_and_told_which_are_right(service) -> None:
    answer = service.get("/v1/point")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        assert service.post(b"{}", method=method).status == 405
    assert service.post(b"{}", "/health").status == 405


def test_head_is_get_without_the_body(service) -> None:
    both = b"".join(b"%s /health HTTP/1.1\r\nHost: localhost\r\n\r\n" % method for method in (b"HEAD", b"GET"))
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        client.sendall(both)
        with client.makefile("rb") as reader:
            head = read(reader, has_body=False)
            whole = read(reader)  # begins where the first answer ended
    assert (head.status, whole.status, whole.json["status"]) == (200, 200, "ok")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]


def test_two_requests_on_one_connection(service) -> None:
    body = json.dumps({"images": [A], "question": "?"}).encode()
    one = b"POST /v1/point HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        client.sendall((one + body) * 2)  # both at once
        with client.makefile("rb") as reader:
            assert [read(reader).status for _ in range(2)] == [200, 200]


def test_a_body_is_asked_for_only_when_it_will_be_taken(service) -> None:
    body = json.dumps({"images": [A], "question": "?"}).encode()
    head = b"POST /v1/point HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        with client.makefile("rb") as reader:
            assert reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert reader.readline() == b"\r\n"
            client.sendall(body)
            assert read(reader).status == 200


def test_a_slow_sender_is_cut_off_however_steadily_it_sends(service, monkeypatch) -> None:
    monkeypatch.setattr(connection, "READ_S", 0.1)
    head = b"POST /v1/point HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        client.sendall(head)
        client.settimeout(0.01)
        received = b""
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            while not received:
                client.sendall(b" ")
                with contextlib.suppress(TimeoutError):
                    received = client.recv(65536)
    assert received.startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed(service, monkeypatch) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.01)
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        assert client.recv(1) == b""


def test_a_client_that_hangs_up_harms_nobody(service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        client.sendall(
            b"POST /v1/point HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
    assert good(service)


def test_there_are_no_more_connections_than_allowed(monkeypatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    with served(get_model("center")) as service, contextlib.ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), PATIENCE_S))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        third = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), PATIENCE_S))
        assert read(stack.enter_context(third.makefile("rb"))).status == 503


def raw(client: Client, content: bytes) -> Answer:
    """The answer to bytes that no well-behaved client would send."""
    with socket.create_connection(("127.0.0.1", client.port), PATIENCE_S) as sender:
        sender.sendall(content)
        with contextlib.suppress(OSError):
            sender.shutdown(socket.SHUT_WR)
        with sender.makefile("rb") as reader:
            return read(reader)


def read(reader, *, has_body: bool = True) -> Answer:
    version, status, *_ = reader.readline().split()
    assert version == b"HTTP/1.1"
    headers: dict[str, str] = {}
    while line := reader.readline().strip().decode():
        name, _, value = line.partition(": ")
        headers[name] = value
    return Answer(int(status), headers, reader.read(int(headers["Content-Length"]) if has_body else 0))


def test_base64_that_is_not_strict_is_refused(service) -> None:
    wrapped = base64.encodebytes(media.encode_png(picture())).decode()
    assert service.post({"images": [wrapped], "question": "?"}).status == 422
