import json

import pytest

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.train.vlm.mixture import Opening, Term, open_mixture, open_path, parse_mixture, read_registry

OPENING = Opening(get_dialect("qwen3"))
TALK = [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hello."}]


def test_terms_have_a_share_and_a_weight():
    assert parse_mixture(["rooms", "x3*0.5", "qa%10", "other%2.5*3"]) == (
        Term("rooms"),
        Term("x3", weight=0.5),
        Term("qa", percent=10.0),
        Term("other", weight=3.0, percent=2.5),
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], "data.mixture is empty"),
        (["a", "a*2"], "names a more than once"),
        (["a*0"], "a weight above 0"),
        (["a%101"], "at most 100"),
        (["a*x"], "cannot be read"),
        (["a*1.2.3"], "cannot be read"),
        (["*2"], "cannot be read"),
    ],
)
def test_a_mixture_without_sense_is_refused(terms, message):
    with pytest.raises(InputError, match=message):
        parse_mixture(terms)


def test_sources_come_from_a_registry_beside_which_their_paths_are(rooms, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "qa.jsonl").write_text(json.dumps({"id": "q", "conversations": TALK}))
    (tmp_path / "registry.yaml").write_text(
        f"rooms: {{taskset: {rooms['t2a'].path}}}\nqa: {{annotation_path: qa.jsonl, media_root: pictures}}\n"
    )
    registry = read_registry(tmp_path / "registry.yaml")
    qa, tasks = open_mixture(parse_mixture(["qa*2", "rooms"]), registry, OPENING)
    assert (qa.name, len(qa), qa[0].id) == ("qa", 1, "q")
    assert (tasks.name, len(tasks)) == ("rooms", len(rooms["t2a"]))
    with pytest.raises(InputError, match="'room' is not in the registry; did you mean 'rooms'"):
        open_mixture(parse_mixture(["room"]), registry, OPENING)
    assert open_path(rooms["t2a"].path, OPENING).name == rooms["t2a"].manifest.name
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        open_path(tmp_path / "none.json", OPENING)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected entries like"),
        ("a: {tasksets: x}", "entry 'a': .*tasksets"),
        ("a: {}", "entry 'a': expected either taskset"),
        ("a: {taskset: x, media_root: y}", "entry 'a': expected either taskset"),
        ("a: {taskset: x}\na: {taskset: y}", "the key 'a' stands twice"),
        ("a: &x {taskset: x}\nb: *x", "an alias"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML that is read here"),
        ("a: [", "not YAML that is read here"),
    ],
)
def test_a_registry_without_sense_is_refused(tmp_path, content, message):
    (tmp_path / "registry.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        read_registry(tmp_path / "registry.yaml")
