"""`sightline serve` as a process: it says where it listens, and a signal ends it without losing an answer."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sightline.cli import run
from tests.models.openai.chat_server import serving
from tests.serve.served import PATIENCE_S, Client, picture, sent, until

ASK = {"images": [sent(picture())], "question": "Where?"}


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen, Client, dict]]:
    command = [sys.executable, "-m", "sightline", "serve", "--port", "0", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield process, Client(int(told["url"].rpartition(":")[2])), told
        finally:
            process.kill()


def test_terminated_it_answers_what_it_has_taken_and_ends_well() -> None:
    go_on = threading.Event()

    def slow(request) -> None:
        assert go_on.wait(PATIENCE_S)
        request.say("[(0.25, 0.5)]")

    with serving() as chat, ThreadPoolExecutor() as pool:
        chat.behave = slow
        spec = f"openai:{chat.url}#tiny"
        with started("--model", spec, "--dialect", "roborefer") as (process, client, told):
            assert (told["model"], told["dialect"], told["status"]) == ("tiny", "roborefer", "ok")
            waiting = pool.submit(client.post, ASK)
            until(lambda: len(chat.requests) == 1)
            process.send_signal(signal.SIGTERM)
            until(lambda: client.get().status == 503)
            assert client.post(ASK).status == 503
            go_on.set()
            assert waiting.result(PATIENCE_S).json["answer"] == {"kind": "point", "x": 40.0, "y": 60.0, "image": 0}
            assert process.wait(PATIENCE_S) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""


def test_what_a_server_behind_it_refuses_is_not_the_callers_fault() -> None:
    with serving() as chat, started("--model", f"openai:{chat.url}#tiny", "--dialect", "roborefer") as (process, client, _):
        chat.behave = lambda request: request.send_json({"error": {"message": "no such model"}}, status=404)
        answer = client.post(ASK)
        assert answer.status == 502
        assert "no such model" in answer.error["message"]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "center", "--host", "0.0.0.0"], "a token is needed"),  # noqa: S104 - it is refused
        (["--model", "center", "--token-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE"),
        (["--model", "centre"], "Did you mean 'center'?"),
        (["--model", "center", "--clips", "nowhere/clips"], "--clips nowhere/clips: no such folder"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(arguments, said, monkeypatch, capsys) -> None:
    monkeypatch.delenv("SIGHTLINE_TOKEN", raising=False)
    assert run(["serve", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "--model", "center", "--port", str(port)]) == 2
    assert f"--port {port}: Address already in use" in capsys.readouterr().err
