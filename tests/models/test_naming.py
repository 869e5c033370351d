"""Names of objects from a server on this machine: each asked once, from a crop with a drawn box."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run
from sightline.errors import InputError
from sightline.models import ModelOptions, get_model
from sightline.models.naming import ClipSource, crop_of, name_objects, read_name
from sightline.models.openai.chat import Patience
from sightline.models.openai.endpoint import Endpoint
from tests.davis_tree import write_list, write_sequence
from tests.models.openai.chat_server import ChatServer, Request, serving

QUICK = Patience(retries=1, timeout_s=20.0, budget_s=40.0, first_wait_s=0.001)


@pytest.fixture
def server():
    with serving() as started:
        started.behave = _named
        yield started


def _named(request: Request) -> None:
    """The size of the crop as a name."""
    with Image.open(io.BytesIO(request.pictures[0])) as picture:
        request.say(f'"Thing of {picture.width} by {picture.height}."\nIt is a thing.')


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "davis"
    write_sequence(root, "duel", [{1: (0, 4, 14, 14), 2: (30, 18, 40, 28)}, {1: (4, 4, 12, 12), 2: (30, 18, 42, 28)}])
    write_sequence(root, "unseen", [{1: (2, 2, 12, 12)}], pictures=False)
    write_list(root, "2017", "train", ["duel", "unseen"])
    return root


def _command(tree: Path, server: ChatServer, out: Path) -> list[str]:
    where = ["--data", "davis", "--root", str(tree), "--model", f"openai:{server.url}#tiny", "--out", str(out)]
    return ["name-objects", *where, "--json"]


def test_every_object_with_a_picture_gets_a_name(tree: Path, server: ChatServer, tmp_path: Path) -> None:
    assert run(_command(tree, server, tmp_path / "names.json")) == 0
    written = json.loads((tmp_path / "names.json").read_text())
    assert written["model"] == "tiny"
    # the pictures have 48x32 pixels, and a crop reaches at least 32 beyond the box: object 1 of frame 1 (4 to 12) up to 44 and 32;
    # object 2 of frame 1 (30 to 42) begins at 0
    assert written["clips"] == {"duel": {"1": "Thing of 44 by 32", "2": "Thing of 48 by 32"}}
    ledger = [json.loads(line) for line in (tmp_path / "names.json.ledger.jsonl").read_text().splitlines()]
    assert [(entry["unit"], entry["reason"]) for entry in ledger] == [("unseen/1", "no_picture")]


def test_the_same_command_asks_nothing_again(tree: Path, server: ChatServer, tmp_path: Path) -> None:
    out = tmp_path / "names.json"
    assert run(_command(tree, server, out)) == 0
    first = out.read_bytes()
    asked = len(server.requests)
    assert run(_command(tree, server, out)) == 0
    assert (len(server.requests), out.read_bytes()) == (asked, first)
    assert asked == 2


def test_the_question_names_no_number_and_shows_one_crop(tree: Path, server: ChatServer, tmp_path: Path) -> None:
    run(_command(tree, server, tmp_path / "names.json"))
    words = "".join(part["text"] for part in server.requests[0].content if part["type"] == "text")
    assert "red box" in words
    assert "at most six words" in words
    assert "0 to 1000" not in words
    assert len(server.requests[0].pictures) == 1


def test_answers_that_are_no_name_go_to_the_ledger(tree: Path, server: ChatServer, tmp_path: Path) -> None:
    server.behave = lambda request: request.say("???")
    assert run(_command(tree, server, tmp_path / "names.json")) == 0
    assert json.loads((tmp_path / "names.json").read_text())["clips"] == {}
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "names.json.ledger.jsonl").read_text().splitlines()]
    assert reasons == ["no_name", "no_name", "no_picture"]


def test_a_server_that_is_down_writes_no_file(tree: Path, server: ChatServer, tmp_path: Path) -> None:
    server.behave = lambda request: request.send(b"{}", status=500)
    model = Endpoint(server.url, "tiny", ModelOptions(dialect="qwen3"), patience=QUICK)
    with pytest.raises(InputError, match="2 of 2 objects got no answer"):
        name_objects(ClipSource("davis", tree, "train"), model=model, out=tmp_path / "names.json")
    assert not (tmp_path / "names.json").exists()


def test_a_model_that_does_not_speak_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="geometry"):
        name_objects(ClipSource("davis", tree, "train"), model=get_model("center"), out=tmp_path / "names.json")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("brown dog", "brown dog"),
        ('  "Brown dog."\nbecause it barks', "Brown dog"),
        ("**white van**", "white van"),
        ("", None),
        ("42", None),
        ("It seems to me that what is shown here might well be some sort of dog", None),
    ],
)
def test_a_name_is_the_first_line_if_it_is_short(text: str, name: str | None) -> None:
    assert read_name(text) == name


def test_a_crop_shows_the_object_in_a_red_box_and_half_of_its_size_around() -> None:
    crop = crop_of(np.zeros((400, 400, 3), np.uint8), (100.0, 100.0, 300.0, 200.0))
    assert crop.shape == (300, 400, 3)  # rows 0 to 300, columns 0 to 400: 100 pixels on each side
    assert (crop[150, 98] == (230, 30, 30)).all()
    assert not crop[110:190, 110:290].any()
