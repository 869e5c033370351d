"""Files appear whole, JSON is read strictly, and a folder has one writer."""

from pathlib import Path

import msgspec
import pytest

from sightline.errors import InputError
from sightline.files import only_writer, read_json, remove_temporaries, whole_file, write_json, write_whole


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    depth: int
    name: str = ""


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    write_whole(path, b"old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half of the new", "not bytes"])  # pyright: ignore[reportArgumentType]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".table.json.123.abcd.tmp", "kept.tmp", ".kept"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".kept", "kept.tmp"]


def test_json_round_trip_ends_with_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "sub" / "settings.json", Settings(depth=3, name="über"))
    assert (tmp_path / "sub" / "settings.json").read_text(encoding="utf-8") == '{\n  "depth": 3,\n  "name": "über"\n}\n'
    assert read_json(tmp_path / "sub" / "settings.json", Settings) == Settings(depth=3, name="über")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"depth": "3"}', r"Expected `int`, got `str` - at `\$.depth`"),
        (b'{"depth": 3, "colour": 1}', "unknown field `colour`"),
        (b'{"depth": 3', "truncated"),
        (b'{"depth": 3, "name": "\xff"}', "utf-8"),
        (b"[" * 100_000, "settings.json"),
        (b'{"depth": 3, "name": "' + b"x" * 200 + b'"}', "at most 150 are read"),
    ],
    ids=["wrong type", "unknown key", "cut", "not utf-8", "deep", "too large"],
)
def test_bad_json_is_one_error_that_names_the_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    limit = 150 if len(content) < 1000 else 10**6
    with pytest.raises(InputError, match=message) as raised:
        read_json(path, Settings, max_bytes=limit)
    assert str(path) in str(raised.value)


def test_a_folder_is_held_by_one_and_free_afterwards(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(InputError, match="being written by another process"), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass
