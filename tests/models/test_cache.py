"""Answers that were given before: asked for once, and anew as soon as anything they depend on is another."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from sightline import media
from sightline.cli import run as run_command
from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.models import ModelOptions, get_model
from sightline.models.cache import LOOK_AHEAD, Answers, Cached
from sightline.models.model import Failure, Reply, Said, Usage
from sightline.models.openai.chat import Patience
from sightline.models.openai.endpoint import Endpoint
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Question
from tests.models.openai.chat_server import ChatServer, Request, serving
from tests.x3_tree import write_tree

OPTIONS = ModelOptions(dialect="roborefer", concurrency=4)
ROBOREFER = get_dialect("roborefer")


@pytest.fixture
def server():
    with serving() as started:
        yield started


def built(data: Path, out: Path) -> TaskSet:
    request = BuildRequest(
        reader="x3", root=str(data), splits=("train",), tasks=("t1_multi",), options=CrossViewOptions(pairs="all")
    )
    (one,) = build(request, out)
    return TaskSet(Path(one.path))


@pytest.fixture
def tasks(tmp_path) -> TaskSet:
    """Every ordered pair of views of three objects."""
    return built(write_tree(tmp_path / "data"), tmp_path / "sets")


def cached(server: ChatServer, folder: Path, options: ModelOptions = OPTIONS, name: str = "m") -> Cached:
    return Cached(Endpoint(server.url, name, options, patience=Patience(retries=0)), folder)


def lines(run: Path) -> bytes:
    return (run / "predictions.jsonl").read_bytes()


@dataclass(frozen=True)
class Batches:
    """A text model that takes batches and remembers them."""

    batches: list[list[str]] = field(default_factory=list)
    dialect: Dialect | None = ROBOREFER
    revision: int = 1
    name: str = "batches"
    batch_size: int = 3

    def describe(self):
        return {"kind": "batches", "revision": self.revision}

    def check(self, taskset: TaskSet) -> None:
        assert len(taskset) > 0

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Reply]:  # noqa: ARG002
        self.batches.append([question.id for question in questions])
        return [f"[(0.5, 0.{len(question.id)})]" for question in questions]


def test_a_second_run_costs_nothing_and_has_the_same_bytes(server, tasks, tmp_path):
    server.behave = lambda request: request.say(finish="length")  # that it was cut off is kept, too
    predict(tasks, cached(server, tmp_path / "cache"), tmp_path / "first")
    assert len(server.requests) == len(tasks) > 4
    predict(tasks, cached(server, tmp_path / "cache"), tmp_path / "second")
    assert len(server.requests) == len(tasks)
    assert lines(tmp_path / "second") == lines(tmp_path / "first")
    assert b'"status":"truncated"' in lines(tmp_path / "second")
    (session,) = msgspec.json.decode((tmp_path / "second" / "timing.json").read_bytes())
    assert "usage" not in session


def test_one_changed_pixel_asks_only_the_examples_that_show_it(server, tasks, tmp_path):
    predict(tasks, cached(server, tmp_path / "cache"), tmp_path / "first")
    path = tmp_path / "data/train/kitchen/uid_1/02_000020_original.png"
    rgb = media.read_rgb(path).copy()
    rgb[0, 0, 0] ^= 1
    path.write_bytes(media.encode_png(rgb))
    changed = built(tmp_path / "data", tmp_path / "changed")
    digests = [{example.id: [image.digest for image in example.question.images] for example in one} for one in (tasks, changed)]
    others = {name for name in digests[0] if digests[0][name] != digests[1][name]}
    assert 0 < len(others) < len(tasks)
    server.requests.clear()
    predict(changed, cached(server, tmp_path / "cache"), tmp_path / "second")
    assert len(server.requests) == len(others)


def test_the_key_holds_what_an_answer_depends_on_and_not_how_it_is_asked_for(server, tasks, tmp_path):
    question = tasks[0].question

    def key(name: str = "m", **options) -> str:
        return cached(server, tmp_path, msgspec.structs.replace(OPTIONS, **options), name).key(question)

    others = [
        key(name="n"),
        key(dialect="qwen3"),
        key(max_new_tokens=64),
        key(temperature=0.5),
        key(max_side=16),
        key(image_format="jpeg"),
        cached(server, tmp_path).key(tasks[1].question),
        Cached(Endpoint("http://127.0.0.1:1", "m", OPTIONS), tmp_path).key(question),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key() == key(concurrency=1, timeout_s=1.0, retries=0, budget_s=2.0, prompt_price=3.0, cache="elsewhere")
    assert Cached(Batches(), tmp_path).key(question) != Cached(Batches(revision=2), tmp_path).key(question)
    reworded = msgspec.structs.replace(question, prompt=question.prompt[1:])
    assert cached(server, tmp_path).key(reworded) != key()


def test_failures_and_empty_texts_are_asked_again(server, tasks, tmp_path):
    behaviours = [lambda request: request.say(""), lambda request: request.say(" \n"), Request.hang_up]
    server.behave = lambda request: behaviours[request.place % 3](request)
    model = cached(server, tmp_path / "cache")
    replies = model.answer([example.question for example in tasks], tasks)
    assert {type(reply) for reply in replies} == {Said, Failure}
    assert len(model.answers) == 0
    server.behave = Request.say
    server.requests.clear()
    model.answer([example.question for example in tasks], tasks)
    assert len(server.requests) == len(model.answers) == len(tasks)


def test_a_model_that_takes_batches_is_given_full_ones_of_what_is_missing(tasks, tmp_path):
    ids = [example.id for example in tasks]
    questions = [example.question for example in tasks]
    before = Cached(Batches(), tmp_path)
    expected = before.answer(questions, tasks)
    known = Cached(Batches(), tmp_path / "some")
    known.answer(questions[1::2], tasks)
    model = Batches()
    replies = Cached(model, tmp_path / "some").answer(questions, tasks)
    missing = ids[0::2]
    assert model.batches == [missing[start : start + 3] for start in range(0, len(missing), 3)]
    assert [reply.text if isinstance(reply, Said) else reply for reply in replies] == expected


def test_many_kept_answers_do_not_hold_up_each_other(make_questions, tasks, tmp_path):
    """More than are gathered at a time, before, between and behind those that are missing."""
    questions = make_questions(2 * LOOK_AHEAD + 7)
    model = Batches()
    Cached(model, tmp_path).answer(questions[1:-1], tasks)
    model.batches.clear()
    some = list(Cached(model, tmp_path).replies(iter(questions), tasks))
    assert sorted(question.id for part in some for question, _ in part) == sorted(question.id for question in questions)
    assert model.batches == [[questions[0].id], [questions[-1].id]]
    assert max(len(part) for part in some) <= LOOK_AHEAD + model.batch_size


@pytest.fixture
def make_questions(tasks):
    """`make_questions(n)`: n questions that differ in their pictures' digests."""
    question = tasks[0].question

    def numbered(number: int) -> Question:
        images = tuple(msgspec.structs.replace(image, digest=f"{number:032x}") for image in question.images)
        return msgspec.structs.replace(question, id=f"t1_multi/{number}", images=images)

    return lambda count: [numbered(number) for number in range(count)]


def test_a_killed_writers_half_line_is_passed_over_and_others_go_on_beside_it(tmp_path):
    one, two = Answers(tmp_path), Answers(tmp_path)
    key_a, key_b, key_c = ("a" * 64, "b" * 64, "c" * 64)
    one.put(key_a, Said(text="first ❌"))
    two.put(key_b, Said(text="second", cut=True))
    assert (one.get(key_a), one.get(key_b)) == (Said(text="first ❌"), None)
    (path,) = (path for path in tmp_path.iterdir() if b"first" in path.read_bytes())
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        found = Answers(tmp_path)
        assert (len(found), found.get(key_a), found.get(key_b)) == (1, None, Said(text="second", cut=True))
    path.write_bytes(whole + whole[:20])
    found = Answers(tmp_path)
    found.put(key_c, Said(text="third", usage=Usage(num_requests=1)))
    again = Answers(tmp_path)
    assert [again.get(key) for key in (key_a, key_b)] == [Said(text="first ❌"), Said(text="second", cut=True)]
    assert len(again) == len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("content", [b"{}\n", b"not JSON\n", b'{"key":"xyz","said":{"text":"a"}}\n', b"\xff\n"])
def test_a_damaged_line_is_refused_with_its_place(tmp_path, content):
    Answers(tmp_path).put("a" * 64, Said(text="first"))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + content)
    with pytest.raises(InputError, match=rf"{path.name}, line 2: .*delete the file"):
        Answers(tmp_path)


def test_a_folder_is_only_made_when_there_is_something_to_keep(server, tasks, tmp_path):
    cached(server, tmp_path / "cache").check(tasks)
    assert len(Answers(tmp_path / "cache")) == 0
    assert not (tmp_path / "cache").exists()


def test_baselines_and_sampled_answers_are_not_kept(tmp_path):
    with pytest.raises(InputError, match="answers in geometry"):
        Cached(get_model("center"), tmp_path)
    options = replace_options(cache=str(tmp_path), temperature=0.7)
    with pytest.raises(InputError, match=r"--cache gives the same answer every time, and --temperature 0.7"):
        get_model("openai:http://127.0.0.1:1#m", options)
    assert isinstance(get_model("openai:http://127.0.0.1:1#m", replace_options(cache=str(tmp_path))), Cached)


def replace_options(**options) -> ModelOptions:
    return msgspec.structs.replace(OPTIONS, **options)


def test_a_cached_model_is_told_from_the_model_itself_by_nothing(server, tasks, tmp_path):
    model = Batches()
    wrapped = Cached(model, tmp_path)
    assert (wrapped.name, wrapped.describe(), wrapped.dialect, wrapped.batch_size) == ("batches", model.describe(), ROBOREFER, 3)
    predict(tasks, replace(model, batches=[]), tmp_path / "run", limit=2)
    predict(tasks, wrapped, tmp_path / "run")
    command = ["predict", str(tasks.path), "--model", f"openai:{server.url}#m", "--dialect", "roborefer"]
    for out in ("b", "c"):
        assert run_command([*command, "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / out), "--json"]) == 0
    assert len(server.requests) == len(tasks)
    assert lines(tmp_path / "b") == lines(tmp_path / "c")
