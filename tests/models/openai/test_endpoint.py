"""The endpoint model against a real server on this machine that misbehaves by script."""

import hashlib
import io
import itertools
import json
import random
import signal
import subprocess
import sys
import threading
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run as run_command
from sightline.dialects import Size
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.evaluate.score import score_run
from sightline.models import ModelOptions, NotApplicable, get_model
from sightline.models.model import Failure, Said
from sightline.models.openai.address import parse_spec
from sightline.models.openai.chat import MAX_ANSWER_BYTES, Patience, _retry_after_s
from sightline.models.openai.endpoint import Endpoint, as_sent
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import ImagePart
from tests.models.openai.chat_server import ChatServer, Request, first, serving

OPTIONS = ModelOptions(dialect="roborefer", concurrency=4, prompt_price=2.0, answer_price=10.0)
QUICK = Patience(retries=2, timeout_s=20.0, budget_s=40.0, first_wait_s=0.001)
LIMIT = 30
KEY = "sk-not-to-be-found-in-any-file"


@pytest.fixture
def server():
    with serving() as started:
        yield started


@pytest.fixture
def tasks(rooms) -> TaskSet:
    return rooms["t1_multi"]


def endpoint(server: ChatServer, options: ModelOptions = OPTIONS, patience: Patience = QUICK) -> Endpoint:
    return Endpoint(server.url, "org/tiny model", options, patience=patience)


def ask_one(model: Endpoint, tasks: TaskSet) -> Said | Failure:
    (reply,) = model.answer([tasks[0].question], tasks)
    assert isinstance(reply, Said | Failure)
    return reply


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.name not in (".lock", "timing.json")}


def decoded(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)))


# ---------------------------------------------------------------- what is sent


def test_texts_and_pictures_go_in_the_order_of_the_prompt_pixel_for_pixel(server, tasks):
    reply = ask_one(endpoint(server), tasks)
    (request,) = server.requests
    assert request.handler.path == "/v1/chat/completions"
    assert (request.body["model"], request.body["max_tokens"], request.body["temperature"]) == ("org/tiny model", 128, 0.0)
    assert [part["type"] for part in request.content].count("image_url") == 2
    question = tasks[0].question
    kinds = ["image_url" if isinstance(part, ImagePart) else "text" for part in question.prompt]
    assert [part["type"] for part in request.content] == [kind for kind, _ in itertools.groupby(kinds)]
    assert request.content[-1]["text"].endswith("answer exactly NOT_VISIBLE.")
    for picture, image in zip(request.pictures, question.images, strict=True):
        np.testing.assert_array_equal(decoded(picture), tasks.read_rgb(image))
    assert isinstance(reply, Said)
    assert reply.text == request.text()
    assert reply.exposure is not None
    assert (reply.exposure.processed_sizes, reply.exposure.num_prompt_tokens) == (((160, 120), (160, 120)), 100)


def test_larger_pictures_are_made_smaller_and_numbers_are_read_in_pixels_as_sent(server, tasks):
    options = ModelOptions(dialect="pixels", max_side=80)
    server.behave = lambda request: request.say("(20, 15)")  # of 80 x 60: a quarter of each side
    model = endpoint(server, options)
    reply = ask_one(model, tasks)
    assert [decoded(picture).shape for picture in server.requests[0].pictures] == [(60, 80, 3), (60, 80, 3)]
    assert isinstance(reply, Said)
    question = tasks[0].question
    reading = model.dialect.decode(reply.text, question.form, [size_of(image) for image in question.images])
    assert reading.answer is not None
    assert reading.answer.points == ((40.0, 30.0),)  # pyright: ignore[reportAttributeAccessIssue] - a quarter of 160 x 120
    assert model.describe()["pictures"] == {"max_side": 80, "encoding": "png", "resampling": "area"}
    assert model.dialect.options() == {"sent_max_side": 80}
    assert reply.exposure is not None
    assert reply.exposure.processed_sizes == ((80, 60), (80, 60))


def size_of(image):
    return Size.of(image)


def test_a_picture_is_averaged_over_areas_and_never_enlarged():
    rgb = np.array([[[0, 0, 0], [100, 40, 8]], [[0, 0, 0], [100, 40, 8]]], np.uint8)
    np.testing.assert_array_equal(as_sent(rgb, 1), [[[50, 20, 4]]])  # the mean of all four pixels
    assert as_sent(rgb, 2) is rgb


def test_jpeg_is_sent_where_asked_for_and_declared(server, tasks):
    model = endpoint(server, ModelOptions(dialect="qwen3", image_format="jpeg"))
    ask_one(model, tasks)
    assert all(picture.startswith(b"\xff\xd8\xff") for picture in server.requests[0].pictures)
    assert "data:image/jpeg;base64," in json.dumps(server.requests[0].body)
    assert model.describe()["pictures"]["encoding"] == "jpeg, quality 95"


def test_pixel_limits_of_the_servers_processor_change_what_numbers_mean_and_only_for_qwen25(server):
    model = endpoint(server, ModelOptions(dialect="qwen25", max_pixels=200_704))
    assert model.dialect.options()["max_pixels"] == 200_704
    with pytest.raises(InputError, match="--min-pixels and --max-pixels tell only the dialect qwen25"):
        endpoint(server, ModelOptions(dialect="qwen3", max_pixels=200_704))


# ---------------------------------------------------------------- what goes wrong once and is asked again

FAULTS = {
    "429": lambda request: request.send_json({"error": {"message": "slow down"}}, status=429, Retry_After="0"),
    "500": lambda request: request.send(b"oops", status=500),
    "503 with a date": lambda request: request.send(b"", status=503, Retry_After=formatdate(0, usegmt=True)),
    "half an answer": lambda request: request.send(b'{"choices": [{"mess', length=5000),
    "broken JSON": lambda request: request.send(b'{"choices": [{"message": {"content": "[(0.1, 0.2)]"'),
    "another JSON": lambda request: request.send_json({"error": {"message": "model is loading"}}),
    "no choices": lambda request: request.send_json({"choices": []}),
    "hundred thousand brackets": lambda request: request.send(b"[" * 100_000),
    "compressed": lambda request: request.send(b"\x1f\x8b", Content_Encoding="gzip"),
    "hangs up": Request.hang_up,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_asked_again_and_leaves_no_trace_in_the_answer(server, tasks, fault):
    server.behave = first(FAULTS[fault])
    reply = ask_one(endpoint(server), tasks)
    assert isinstance(reply, Said)
    assert reply.text == server.requests[0].text()
    assert len(server.requests) == reply.usage.num_requests == 2


@pytest.mark.parametrize("slow", [Request.hang, Request.drip])
def test_an_answer_that_does_not_come_in_time_is_asked_again(server, tasks, slow):
    server.behave = first(slow)
    reply = ask_one(endpoint(server, patience=Patience(retries=1, timeout_s=0.3, first_wait_s=0.001)), tasks)
    assert isinstance(reply, Said)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (FAULTS["500"], r"status 500 \(Internal Server Error\): oops \(asked 3 times\)"),
        (FAULTS["429"], r"status 429 \(Too Many Requests\): slow down \(asked 3 times\)"),
        (FAULTS["broken JSON"], r"not an answer \(.*\): .* \(asked 3 times\)"),
        (Request.hang_up, r"RemoteDisconnected: .* \(asked 3 times\)"),
    ],
)
def test_a_fault_that_stays_is_a_failure_with_its_reason(server, tasks, behave, reason):
    server.behave = behave
    reply = ask_one(endpoint(server), tasks)
    assert isinstance(reply, Failure)
    assert (len(server.requests), reply.usage.num_requests) == (3, 3)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(reply.reason)


def test_a_server_that_fails_and_hangs_up_without_a_word_is_asked_on_a_new_connection(server, tasks):
    def fail(request: Request) -> None:
        request.send(b"Internal Server Error", status=500)
        request.handler.close_connection = True

    server.behave = first(fail)
    reply = ask_one(endpoint(server, patience=Patience(retries=1, timeout_s=20.0, budget_s=40.0, first_wait_s=0.2)), tasks)
    assert isinstance(reply, Said)
    assert reply.usage.num_requests == 2


def test_nobody_at_the_address_is_a_failure_of_every_try(tasks):
    with serving() as gone:
        model = endpoint(gone)
    reply = ask_one(model, tasks)
    assert isinstance(reply, Failure)
    assert reply.reason.startswith("ConnectionRefusedError: ")
    assert reply.reason.endswith("(asked 3 times)")


def test_a_huge_answer_is_not_read_to_its_end_and_not_asked_again(server, tasks):
    sent = []

    def behave(request: Request) -> None:
        request.handler.send_response(200)
        request.handler.send_header("Content-Length", str(100 * MAX_ANSWER_BYTES))
        request.handler.end_headers()
        for _ in range(100 * 8):
            request.handler.wfile.write(b" " * (MAX_ANSWER_BYTES // 8))
            sent.append(MAX_ANSWER_BYTES // 8)

    server.behave = behave
    reply = ask_one(endpoint(server), tasks)
    assert isinstance(reply, Failure)
    assert reply.reason == "an answer of more than 8,388,608 bytes, which is no answer to a question of this kind (asked once)"
    assert sum(sent) < 3 * MAX_ANSWER_BYTES


def test_a_server_that_asks_to_wait_longer_than_the_budget_is_not_asked_again_by_any_question(server, tasks):
    server.behave = lambda request: request.send(b"", status=429, Retry_After="3600")
    model = endpoint(server, ModelOptions(dialect="roborefer", concurrency=1))
    replies = model.answer([tasks[index].question for index in range(3)], tasks)
    reasons = sorted(reply.reason for reply in replies if isinstance(reply, Failure))
    assert reasons[0] == "status 429 (Too Many Requests): no text (asked once)"
    assert [reason.startswith("the server asks to wait 3") and reason.endswith("(not asked)") for reason in reasons[1:]] == [
        True
    ] * 2
    assert len(server.requests) == 1


def test_retry_after_is_seconds_or_a_date():
    assert _retry_after_s("7") == 7.0
    assert _retry_after_s(formatdate(4_102_444_800, usegmt=True)) > 1e6  # the year 2100
    assert [_retry_after_s(value) for value in (None, "", "soon", "-3")] == [0.0] * 4


# ---------------------------------------------------------------- what is the user's to mend


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "too many pictures.*Mend what it complains of"),
        (401, "No key was sent: put the right one into the environment variable OPENAI_API_KEY"),
        (404, "usually ends in /v1"),
        (422, "too many pictures"),
        (307, "Give the URL that it points to"),
    ],
)
def test_a_refused_request_ends_the_run_at_once_with_the_servers_words(server, tasks, tmp_path, monkeypatch, status, expected):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.behave = lambda request: request.send_json({"error": {"message": "too many pictures"}}, status=status)
    with pytest.raises(InputError, match=f"refused a request with status {status} .*{expected}"):
        predict(tasks, endpoint(server, ModelOptions(dialect="roborefer", concurrency=1)), tmp_path / "run")
    assert len(server.requests) == 1
    assert list(read_predictions(tmp_path / "run")) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://host", "expected http"),
        ("host:8000", "expected http"),
        ("http://", "expected http"),
        ("http://host:port", "server URL"),
        ("http://me:secret@host/v1", "would be stored with the run"),
        ("https://host/v1?api_key=secret", "would be stored with the run"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused_and_secrets_in_it_are_not_repeated(url, expected):
    with pytest.raises(InputError, match=expected) as error:
        Endpoint(url, "m", OPTIONS)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/", "http://host:8000/v1"),
        ("https://host/api/v1/", "https://host/api/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
    ],
)
def test_the_path_of_a_url_is_completed(url, stored):
    assert Endpoint(url, "m", OPTIONS).describe()["url"] == stored


def test_names_without_a_url_a_model_or_a_dialect_are_refused():
    assert parse_spec("http://h:1/v1#org/m") == ("http://h:1/v1", "org/m")
    for spec in ("openai:http://host", "openai:#m"):
        with pytest.raises(InputError, match="expected openai:URL#NAME"):
            get_model(spec, OPTIONS)
    with pytest.raises(InputError, match=r"Declare it with --dialect: roborefer, qwen25, qwen3"):
        get_model("openai:http://host#m")


def test_a_models_name_is_a_folder_name():
    assert Endpoint("http://h", "org/tiny model", OPTIONS).name == "org-tiny-model"
    assert Endpoint("http://h", "../..", OPTIONS).name == "model"


def test_a_task_set_that_asks_for_masks_is_left_out(server, rooms, tmp_path):
    data = str(rooms["t2b"].roots["data"])
    request = BuildRequest(reader="x3", root=data, splits=("validation",), tasks=("t2b_mask",), options=CrossViewOptions())
    (built,) = build(request, tmp_path)
    with pytest.raises(NotApplicable, match="asks for masks"):
        endpoint(server).check(TaskSet(Path(built.path)))


def test_a_proxy_of_the_environment_is_used_except_for_this_machine(server, tasks, monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    reply = ask_one(Endpoint("http://192.0.2.1:8000", "m", OPTIONS, patience=QUICK), tasks)
    assert isinstance(reply, Said)
    assert server.requests[0].handler.path == "http://192.0.2.1:8000/v1/chat/completions"
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    ask_one(endpoint(server), tasks)
    assert server.requests[1].handler.path == "/v1/chat/completions"


# ---------------------------------------------------------------- keys


def test_the_key_is_sent_and_stands_in_no_file_and_no_message(server, tasks, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    behaviours = itertools.cycle([Request.say, Request.say, echo_key])
    lock = threading.Lock()

    def behave(request: Request) -> None:
        with lock:
            step = next(behaviours)
        step(request)

    server.behave = behave
    predict(tasks, endpoint(server, patience=Patience(retries=0)), tmp_path / "run", limit=LIMIT, max_errors=1.0)
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    statuses = [prediction.reading.status for prediction in read_predictions(tmp_path / "run")]
    assert "error" in statuses
    contents = b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert b"you sent Bearer ***" in contents
    assert KEY.encode() not in contents
    server.behave = lambda request: echo_key(request, status=401)
    command = ["predict", str(tasks.path), "--model", f"openai:{server.url}#m", "--dialect", "qwen3", "--out", str(tmp_path / "b")]
    assert run_command([*command, "--json"]) == 2
    shown = capsys.readouterr()
    assert "The key that was sent is not accepted" in shown.err
    assert KEY not in shown.out + shown.err


def echo_key(request: Request, *, status: int = 500) -> None:
    request.send_json({"detail": f"you sent {request.headers['Authorization']}"}, status=status)


def test_without_a_named_variable_no_key_goes_unencrypted_to_another_machine(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "other")
    named = ModelOptions(dialect="roborefer", api_key_env="OTHER_KEY")
    assert Endpoint("http://192.0.2.1:8000", "m", OPTIONS)._key is None
    assert Endpoint("https://192.0.2.1", "m", OPTIONS)._key == KEY
    assert Endpoint("http://127.0.0.1:8000", "m", OPTIONS)._key == KEY
    assert Endpoint("http://192.0.2.1:8000", "m", named)._key == "other"


def test_a_key_that_is_missing_or_has_odd_characters_is_refused_without_showing_it(monkeypatch):
    monkeypatch.delenv("OTHER_KEY", raising=False)
    with pytest.raises(InputError, match=r"OTHER_KEY .* is not set"):
        Endpoint("http://h", "m", ModelOptions(dialect="roborefer", api_key_env="OTHER_KEY"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\nX-Header: 2")
    with pytest.raises(InputError, match="holds characters that no key has") as error:
        Endpoint("https://h", "m", OPTIONS)
    assert "sk-1" not in str(error.value)


# ---------------------------------------------------------------- what is said


def test_texts_come_as_one_string_as_pieces_as_a_refusal_or_not_at_all(server, tasks):
    contents = iter(["[(0.1, 0.2)]", [{"type": "text", "text": "[(0.1,"}, {"type": "text", "text": " 0.2)]"}], ""])
    server.behave = lambda request: request.say(next(contents))
    model = endpoint(server)
    assert [ask_one(model, tasks).text for _ in range(3)] == ["[(0.1, 0.2)]", "[(0.1, 0.2)]", ""]  # pyright: ignore[reportAttributeAccessIssue]
    server.behave = lambda request: request.send_json({"choices": [{"message": {"content": None, "refusal": "I cannot help."}}]})
    reply = ask_one(model, tasks)
    assert reply == Said(text="I cannot help.", usage=reply.usage, exposure=reply.exposure)  # pyright: ignore[reportAttributeAccessIssue]


def test_an_answer_that_was_cut_off_is_truncated_and_still_read(server, tasks, tmp_path):
    server.behave = lambda request: request.say("[(0.1, 0.2)] because", finish="length")
    predict(tasks, endpoint(server), tmp_path / "run", limit=1)
    (prediction,) = read_predictions(tmp_path / "run")
    assert prediction.reading.status == "truncated"
    assert prediction.reading.answer is not None


# ---------------------------------------------------------------- whole runs


def test_results_do_not_depend_on_the_order_of_answers(server, tasks, tmp_path):
    predict(tasks, endpoint(server, ModelOptions(dialect="roborefer", concurrency=1)), tmp_path / "calm", limit=LIMIT)
    rng = random.Random(0)

    def behave(request: Request) -> None:
        server.over.wait(rng.random() * 0.02)
        (request.say if rng.random() < 0.8 else request.hang_up)()

    server.behave = behave
    wild = endpoint(server, ModelOptions(dialect="roborefer", concurrency=8), Patience(retries=50, first_wait_s=0.001))
    predict(tasks, wild, tmp_path / "wild", limit=LIMIT)
    assert files(tmp_path / "wild") == files(tmp_path / "calm")
    assert set(files(tmp_path / "wild")) == {"run.json", "predictions.jsonl"}


def test_tokens_requests_and_costs_are_summed_into_the_timing(server, tasks, tmp_path):
    server.behave = first(FAULTS["500"])
    predict(tasks, endpoint(server), tmp_path / "run", limit=5)
    (session,) = json.loads((tmp_path / "run" / "timing.json").read_text())
    assert session["num_predictions"] == 5
    # 5 answers of 100 and 7 tokens, at 2 and 10 a million: 500 * 2e-6 + 35 * 10e-6 = 0.00135
    assert session["usage"] == {"num_requests": 10, "prompt_tokens": 500, "answer_tokens": 35, "cost": pytest.approx(0.00135)}


def test_a_few_errors_are_recorded_counted_and_asked_again_by_the_same_command(server, tasks, tmp_path):
    predict(tasks, endpoint(server), tmp_path / "calm", limit=LIMIT)
    calm = len(server.requests)
    bad = {request.key for request in server.requests if request.place in (0, 3, calm - 1)}
    server.behave = lambda request: request.send(b"oops", status=500) if request.key in bad else request.say()
    model = endpoint(server, patience=Patience(retries=0))
    predict(tasks, model, tmp_path / "run", limit=LIMIT, max_errors=0.9)
    predictions = list(read_predictions(tmp_path / "run"))
    errors = [prediction for prediction in predictions if prediction.reading.status == "error"]
    assert len(predictions) == LIMIT
    assert len(errors) >= 1
    assert errors[0].reading.notes == ("status 500 (Internal Server Error): oops (asked once)",)
    assert score_run(tmp_path / "run", partial=True) == LIMIT
    server.behave = Request.say
    before = len(server.requests)
    predict(tasks, model, tmp_path / "run", limit=LIMIT)
    assert len(server.requests) - before == len(errors)
    assert files(tmp_path / "run") == files(tmp_path / "calm")


def test_a_server_that_goes_down_stops_the_run_and_nothing_is_lost_or_asked_twice(server, tasks, tmp_path):
    predict(tasks, endpoint(server), tmp_path / "calm", limit=LIMIT)
    server.requests.clear()
    server.behave = lambda request: request.say() if request.place < 10 else request.hang_up()
    model = endpoint(server, ModelOptions(dialect="roborefer", concurrency=1), Patience(retries=1, first_wait_s=0.001))
    with pytest.raises(
        InputError, match=r"had no answer to \d of \d+ questions, more than --max-errors 0.01 allows.*The first was"
    ):
        predict(tasks, model, tmp_path / "run", limit=LIMIT)
    answered = {request.key for request in server.requests[:10]}
    assert all(prediction.reading.status == "ok" for prediction in read_predictions(tmp_path / "run"))
    server.requests.clear()
    server.behave = Request.say
    predict(tasks, model, tmp_path / "run", limit=LIMIT)
    assert not answered & {request.key for request in server.requests}
    assert files(tmp_path / "run") == files(tmp_path / "calm")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_repeats_no_finished_request(server, tasks, tmp_path, ending):
    """The first question's answer is held back, so that all others wait for their turn when the process ends."""
    run, model = tmp_path / "run", Endpoint(server.url, "m", OPTIONS)
    first_key = hashlib.sha256(model.body(tasks[0].question, tasks)).hexdigest()
    finished: list[str] = []
    held, lock = threading.Event(), threading.Lock()

    def behave(request: Request) -> None:
        with lock:
            answered = request.key != first_key and len(finished) < 6
            if answered:
                finished.append(request.key)
        request.say() if answered else held.wait()

    server.behave = behave
    command = [
        "predict",
        str(tasks.path),
        "--model",
        f"openai:{server.url}#m",
        "--dialect",
        "roborefer",
        "--limit",
        str(LIMIT),
        "--out",
        str(run),
    ]
    with subprocess.Popen([sys.executable, "-m", "sightline", *command, "--concurrency", "2"], stderr=subprocess.DEVNULL) as child:
        waiting = run / "waiting.jsonl"
        while not waiting.exists() or waiting.read_bytes().count(b"\n") < 6:
            assert child.poll() is None
        child.send_signal(ending)
        assert child.wait() == (-signal.SIGKILL if ending == signal.SIGKILL else 130)
    held.set()
    server.requests.clear()
    server.behave = Request.say
    assert run_command([*command, "--json"]) == 0
    assert not set(finished) & {request.key for request in server.requests}
    predict(tasks, model, tmp_path / "calm", limit=LIMIT)
    assert files(run) == files(tmp_path / "calm")


def test_eval_asks_a_server_in_one_command(server, tasks, tmp_path, capsys):
    command = ["eval", str(tasks.path), "--model", f"openai:{server.url}#tiny", "--model", "center", "--dialect", "roborefer"]
    assert run_command([*command, "--out", str(tmp_path), "--limit", "4", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [summary["run"]["model"] for summary in shown["summaries"]] == ["tiny", "center"]
    assert len(server.requests) == 4
