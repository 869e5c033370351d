"""Headers and ends of picture files, read without a decoder."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from sightline import picture_header
from sightline.errors import InputError
from sightline.taskset.picture_ends import has_end, quick_header, read_ends
from tests.davis_tree import save_picture

USUAL = [("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("I;16", "PNG"), ("L", "JPEG"), ("RGB", "JPEG")]
TURNED = Image.Exif()
TURNED[picture_header.ORIENTATION_TAG] = 6


def encoded(mode: str, kind: str, **options: object) -> bytes:
    content = BytesIO()
    Image.new(mode, (37, 21)).save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize(("mode", "kind"), USUAL)
def test_usual_headers_are_those_that_the_decoder_reads(mode: str, kind: str) -> None:
    content = encoded(mode, kind)
    assert quick_header(content) == picture_header.probe(picture_header.Content("x", content))


@pytest.mark.parametrize("options", [{"progressive": True}, {"comment": b"c" * 500}, {"quality": 5}])
def test_usual_jpegs_come_in_many_forms(options: dict[str, object]) -> None:
    content = encoded("RGB", "JPEG", **options)
    assert quick_header(content) == picture_header.probe(picture_header.Content("x", content)) != None  # noqa: E711


def spoiled(place: int) -> bytes:
    content = bytearray(encoded("P", "PNG"))
    content[place] ^= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        encoded("RGB", "PNG", exif=TURNED),
        encoded("RGB", "JPEG", exif=TURNED),
        encoded("RGB", "WEBP"),
        encoded("CMYK", "JPEG"),
        encoded("LA", "PNG"),
        encoded("RGB", "PNG", save_all=True, append_images=[Image.new("RGB", (37, 21), (9, 9, 9))]),
        encoded("RGB", "JPEG")[:100],
        spoiled(18),  # the width, against the checksum
        b"no picture at all, but long enough to be read as one would be",
        b"",
    ],
)
def test_of_anything_else_the_decoder_is_asked(content: bytes) -> None:
    assert quick_header(content) is None


def test_a_picture_larger_than_any_that_is_decoded_is_left_to_the_decoder() -> None:
    content = encoded("RGB", "JPEG")
    place = content.index(b"\xff\xc0") + 5
    huge = content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :]
    assert quick_header(huge) is None
    with pytest.raises(InputError, match="65,535"):
        picture_header.probe(picture_header.Content("x", huge))


def whole(path: Path, kind: str) -> bool:
    return has_end(path, kind, read_ends(path, path.stat().st_size)[1])


def cut(content: bytes) -> bytes:
    return content[:-20]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [(bytes, True), (lambda content: content + bytes(10_000), True), (cut, False)],
    ids=["whole", "more", "cut"],
)
def test_the_end_is_there_or_not(tmp_path: Path, kind: str, change: Callable[[bytes], bytes], *, expected: bool) -> None:
    path = tmp_path / "picture"
    path.write_bytes(change(encoded("RGB", kind)))
    assert whole(path, kind) is expected


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save_picture(path, seed=3)
    content = path.read_bytes()
    thumbnail = b"\xff\xe1\xff\x00" + content + bytes(10_000)
    path.write_bytes(content[:2] + thumbnail + content[2:-2] + bytes(10_000))
    assert not whole(path, "JPEG")
