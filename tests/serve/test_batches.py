"""Requests that wait are answered together; what does not fit, takes too long or is wrong concerns nobody else."""

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sightline.errors import InputError
from sightline.models import get_model
from sightline.models.model import Failure
from sightline.serve.batcher import Batcher, Closed, Full
from tests.serve.served import PATIENCE_S, Speaker, picture, sent, served, until

A = sent(picture())


def ask(words: str) -> dict:
    return {"images": [A], "question": words}


def refuse(words: str) -> str:
    if "bad" in words:
        raise InputError(f"this model does not take {words!r}")
    return words


def test_requests_that_wait_are_one_batch_and_each_gets_its_own_answer() -> None:
    model = Speaker(lambda words: words)
    with served(model) as service:
        answers = service.together([ask(f"Where is object {number}?") for number in range(9)])
        health = service.get().json
    assert model.sizes == [9]
    assert [answer.json["raw"] for answer in answers] == [f"Where is object {number}?" for number in range(9)]
    assert {answer.json["batch_size"] for answer in answers} == {9}
    assert (health["num_answered"], health["num_batches"], health["largest_batch"]) == (9, 1, 9)


def test_a_batch_is_no_larger_than_allowed() -> None:
    model = Speaker(lambda words: words)
    with served(model, max_batch=4) as service:
        with service.held():
            # four are enough to begin with, whoever else is expected
            answers = [service.pool.submit(service.post, ask(str(number))) for number in range(4)]
            done = [answer.result(PATIENCE_S) for answer in answers]
        assert {answer.json["batch_size"] for answer in done} == {4}
    assert model.sizes == [4]


def test_a_lone_request_does_not_wait_for_others() -> None:
    with served(get_model("center"), max_wait_s=10_000.0) as service:
        assert service.post(ask("Where?")).json["batch_size"] == 1


def test_nobody_waits_longer_for_others_than_allowed() -> None:
    with served(get_model("center"), max_wait_s=0.01) as service, service.held():
        assert service.post(ask("Where?")).status == 200


def test_equal_requests_are_asked_once() -> None:
    model = Speaker(lambda words: words)
    with served(model) as service:
        answers = service.together([ask("Where?"), ask("Where?"), ask("Where else?")])
    assert model.sizes == [2]
    assert sorted(answer.json["raw"] for answer in answers) == ["Where else?", "Where?", "Where?"]


def test_a_question_the_model_does_not_take_spoils_no_other_answer() -> None:
    words = ["a", "b", "bad one", "c", "d"]
    with served(Speaker(refuse)) as service:
        answers = service.together([ask(one) for one in words])
        health = service.get().json
    assert [answer.status for answer in answers] == [200, 200, 422, 200, 200]
    assert "does not take 'bad one'" in answers[2].error["message"]
    assert (health["num_answered"], health["num_failed"]) == (4, 1)


def test_a_model_that_breaks_is_told_and_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    with served(Speaker(lambda words: words[1000])) as service:  # a mistake: no such character
        assert [service.post(ask("Where?")).status for _ in range(2)] == [500, 500]
        answer = service.post(ask("Where?"))
        assert service.get().status == 200
    assert "IndexError" in answer.error["message"]
    assert "IndexError" in capfd.readouterr().err


def test_a_server_behind_the_model_that_has_no_answer_is_502() -> None:
    with served(Speaker(lambda _: Failure(reason="no connection"))) as service:
        answer = service.post(ask("Where?"))
    assert answer.status == 502
    assert "no connection" in answer.error["message"]


def test_more_than_may_wait_are_refused_at_once_with_the_time_to_come_back() -> None:
    with served(get_model("center"), max_queue=2) as service:
        with service.held():
            waiting = [service.pool.submit(service.post, ask(str(number))) for number in range(2)]
            until(lambda: service.service.batcher.num_waiting == 2)
            refused = service.post(ask("one more"))
        assert [answer.result(PATIENCE_S).status for answer in waiting] == [200, 200]
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) >= 1


def test_a_request_that_takes_too_long_is_given_up_and_never_asked() -> None:
    model = Speaker(str)
    with served(model, timeout_s=0.05) as service:
        with service.held():
            late = service.post(ask("Where?"))
        until(lambda: service.service.batcher.counts.num_dropped == 1)
    assert late.status == 504
    assert "0.05 s" in late.error["message"]
    assert model.sizes == []


def test_stop_waits_for_what_is_under_way_and_refuses_what_is_new() -> None:
    with served(get_model("center")) as service:
        with service.held():
            waiting = service.pool.submit(service.post, ask("Where?"))
            until(lambda: service.service.batcher.num_waiting == 1)
            service.stop.set()
            until(lambda: service.get().status == 503)
            refused, health = service.post(ask("Where else?")), service.get().json
            assert not waiting.done()
        assert waiting.result(PATIENCE_S).status == 200
        assert service.stopped.result(PATIENCE_S) is True
        with pytest.raises(ConnectionRefusedError):
            service.get()
    assert (refused.status, health["status"]) == (503, "stopping")
    assert "Retry-After" in refused.headers


def test_stop_hangs_up_on_connections_that_are_open_but_silent() -> None:
    with served(get_model("center")) as service, socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        service.stop.set()
        assert client.recv(65536) == b""  # long before the time for a next request is over


def test_what_cannot_be_finished_in_time_is_refused_and_told() -> None:
    with served(get_model("center"), grace_s=0.01) as service, service.held():
        waiting = service.pool.submit(service.post, ask("Where?"))
        until(lambda: service.service.batcher.num_waiting == 1)
        service.stop.set()
        assert service.stopped.result(PATIENCE_S) is False
        assert waiting.result(PATIENCE_S).status == 503


class TestBatcher:
    def test_what_comes_while_the_model_works_is_the_next_batch(self) -> None:
        began, go_on = threading.Event(), threading.Event()

        def ask(numbers):
            began.set()
            assert go_on.wait(PATIENCE_S)
            return [number * 2 for number in numbers]

        batcher = Batcher(ask, max_batch=8, max_wait_s=0.0, max_queue=8)
        first = submitted(batcher, 1)
        assert began.wait(PATIENCE_S)
        others = [submitted(batcher, number) for number in (2, 3, 4)]
        go_on.set()
        assert first.result(PATIENCE_S).batch_size == 1
        assert [(other.result(PATIENCE_S).value, other.result().batch_size) for other in others] == [(4, 3), (6, 3), (8, 3)]
        batcher.close()

    def test_callers_in_step_stay_in_step(self) -> None:
        batcher = Batcher(list, max_batch=8, max_wait_s=1000.0, max_queue=8)
        with batcher.expecting():
            first = [submitted(batcher, number) for number in range(3)]
        assert [answer.result(PATIENCE_S).batch_size for answer in first] == [3, 3, 3]
        # nobody else is expected when the first of them comes again, and yet it waits for the other two
        again = [submitted(batcher, number) for number in range(3)]
        assert [answer.result(PATIENCE_S).batch_size for answer in again] == [3, 3, 3]
        batcher.close()

    def test_a_caller_who_is_left_alone_waits_once(self) -> None:
        batcher = Batcher(list, max_batch=8, max_wait_s=0.05, max_queue=8)
        with batcher.expecting():
            pair = [submitted(batcher, number) for number in range(2)]
        assert [answer.result(PATIENCE_S).batch_size for answer in pair] == [2, 2]
        waits = [submitted(batcher, number).result(PATIENCE_S).waited_s for number in range(2)]
        assert waits[0] >= 0.05
        assert waits[1] < waits[0]
        batcher.close()

    def test_a_closed_one_takes_nothing_and_leaves_nobody_waiting(self) -> None:
        batcher = Batcher(list, max_batch=8, max_wait_s=1000.0, max_queue=1)
        with batcher.expecting(), batcher.expecting() as submit:
            waiting = submit(1)
            with batcher.expecting() as another, pytest.raises(Full):
                another(2)
            batcher.close()
            with pytest.raises(Closed):
                waiting.result(PATIENCE_S)
        with batcher.expecting() as submit, pytest.raises(Closed):
            submit(3)

    def test_hundreds_at_once_all_get_their_own(self) -> None:
        batcher: Batcher[int, int] = Batcher(
            lambda numbers: [number + 1 for number in numbers], max_batch=7, max_wait_s=0.001, max_queue=1000
        )
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda number: submitted(batcher, number).result(PATIENCE_S).value, range(400)))
        assert found == [number + 1 for number in range(400)]
        assert batcher.counts.num_answered == 400
        assert batcher.counts.largest_batch <= 7
        batcher.close()


def submitted(batcher: Batcher, value: int) -> "Future":
    with batcher.expecting() as submit:
        return submit(value)
