"""Files appear whole, JSON is read strictly, and a folder has one writer."""

from pathlib import Path

import msgspec
import pytest

from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, remove_temporaries, whole_file, whole_folder, write_json, write_whole


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


def test_a_folder_appears_with_all_its_files_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with pytest.raises(TypeError), whole_folder(path) as folder:
        (folder / "first").write_bytes("not bytes")  # pyright: ignore[reportArgumentType]
    assert list(path.parent.iterdir()) == []
    with whole_folder(path) as folder:
        (folder / "below").mkdir()
        (folder / "below" / "first").write_bytes(b"1")
        assert not path.exists()
    assert list(path.parent.iterdir()) == [path]
    assert (path / "below" / "first").read_bytes() == b"1"
    with pytest.raises(InputError, match="is there already"), whole_folder(path):
        pass


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


def test_a_path_may_go_through_a_link_that_stays_inside_and_through_no_other(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "scene").mkdir(parents=True)
    other.mkdir()
    (root / "alias").symlink_to("scene")
    (root / "scene" / "way").symlink_to(other)
    (root / "scene" / "leaf.png").symlink_to(other / "leaf.png")
    assert inside(root, "alias/a.png") == root / "alias/a.png"
    assert inside(root, "scene/not/there/yet.png") == root / "scene/not/there/yet.png"
    for relative in ("scene/way/a.png", "alias/way/a.png", "scene/leaf.png"):
        with pytest.raises(InputError, match=f"'{relative}' leaves its root .* through a link to {other}"):
            inside(root, relative)


@pytest.mark.parametrize("relative", ["/etc/passwd", "../a.png", "scene/../../a.png", "scene\\a.png", "scene/\0.png"])
def test_a_path_that_does_not_stay_below_its_root_is_refused(tmp_path: Path, relative: str) -> None:
    with pytest.raises(InputError, match="leaves its root"):
        inside(tmp_path, relative)
