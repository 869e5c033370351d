"""What `POST /v1/segment` answers: words, masks and boxes in pictures and clips, and what it refuses."""

import io

import numpy as np
import pytest
from PIL import Image

from sightline.geometry.masks import encode_mask
from sightline.models import get_model
from sightline.serve.access import Access
from sightline.serve.clips import ClipFolder, even
from sightline.serve.posted import Limits
from sightline.serve.segmenting import submitted
from tests.serve.served import Drawer, Speaker, as_base64, picture, sent, served
from tests.video_file import write_video

WIDTH, HEIGHT = 48, 32  # those of `write_video`
FRAMES = [sent(picture(WIDTH, HEIGHT, seed)) for seed in range(4)]
TOKEN = "0123456789abcdef"


def block(x0: int, y0: int, x1: int, y1: int, width: int = WIDTH, height: int = HEIGHT):
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


def draws(expression: str, num_frames: int):
    """The left of all frames but the first; nothing where a cat is meant."""
    if "cat" in expression:
        return "I see none.", [None] * num_frames, ("no_seg",)
    if num_frames == 1:
        return "It is [SEG].", [block(2, 3, 10, 9)], ()
    return "It is [SEG] and [SEG].", [None, *[block(2, 3, 10, 9)] * (num_frames - 1)], ("2_seg",)


@pytest.fixture
def drawer():
    return Drawer(draws)


def test_a_clip_gets_text_masks_and_boxes_for_every_frame(drawer):
    with served(drawer) as service:
        answer = service.post({"images": FRAMES, "expressions": ["the cup"], "fps": 2}, "/v1/segment")
    assert answer.status == 200
    told = answer.json
    assert (told["width"], told["height"], told["frame_numbers"], told["times_s"]) == (
        WIDTH,
        HEIGHT,
        [0, 1, 2, 3],
        [0, 0.5, 1, 1.5],
    )
    (found,) = told["answers"]
    rle = block(2, 3, 10, 9)
    assert found == {
        "expression": "the cup",
        "status": "ok",
        "raw": "It is [SEG] and [SEG].",
        "notes": ["2_seg"],
        "masks": [None, *[{"size": [HEIGHT, WIDTH], "counts": rle.counts}] * 3],
        "boxes": [None, *[[2.0, 3.0, 10.0, 9.0]] * 3],
    }
    assert (told["model"], told["batch_size"]) == ("drawer", 1)


def test_a_single_picture_is_no_clip(drawer):
    with served(drawer) as service:
        found = service.post({"images": FRAMES[:1], "expressions": ["the cup"]}, "/v1/segment").json["answers"][0]
    assert (found["raw"], found["boxes"]) == ("It is [SEG].", [[2.0, 3.0, 10.0, 9.0]])


def test_expressions_of_a_request_are_asked_together_and_answered_in_order(drawer):
    words = ["the cup", "the cat", 'the "odd" one?']
    with served(drawer) as service:
        answers = service.post({"images": FRAMES, "expressions": words}, "/v1/segment").json
    assert [len(batch) for batch in drawer.batches] == [3]
    assert [found["expression"] for found in answers["answers"]] == words
    assert [found["status"] for found in answers["answers"]] == ["ok", "not_visible", "ok"]
    assert answers["answers"][1]["masks"] == [None] * 4
    assert answers["answers"][1]["notes"] == ["no_seg"]


def test_nothing_begins_before_all_expressions_of_a_request_wait(drawer, monkeypatch):
    begins: list[bool] = []

    def watched(submit, posed):
        def one(question):
            future = submit(question)
            begins.append(service.service.batcher._complete())
            return future

        return submitted(one, posed)

    monkeypatch.setattr("sightline.serve.routes.submitted", watched)
    with served(drawer) as service:
        service.post({"images": FRAMES, "expressions": ["a", "b", "c"]}, "/v1/segment")
    assert begins == [False] * 3
    assert [len(batch) for batch in drawer.batches] == [3]


def test_masks_come_as_pictures_or_outlines_where_that_is_asked(drawer):
    with served(drawer) as service:
        png, outline = (
            service.post({"images": FRAMES, "expressions": ["the cup"], "masks": form}, "/v1/segment").json["answers"][0]["masks"]
            for form in ("png", "outline")
        )
    import base64  # noqa: PLC0415

    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(png[1]))))
    assert pixels.shape == (HEIGHT, WIDTH)
    assert (pixels[3:9, 2:10] == 255).all()
    assert pixels.sum() == 255 * 8 * 6
    assert (png[0], outline[0], outline[1]) == (None, None, "M2 3v6h8v-6z")


def test_a_baseline_answers_too():
    with served(get_model("whole")) as service:
        found = service.post({"images": FRAMES, "expressions": ["the cup"]}, "/v1/segment").json["answers"][0]
    assert found["boxes"] == [[0.0, 0.0, WIDTH, HEIGHT]] * 4
    assert found["raw"] is None


def test_of_a_video_so_many_frames_are_taken_evenly(drawer, tmp_path):
    content = as_base64(write_video(tmp_path / "clip.mp4", num_frames=11).read_bytes())
    with served(drawer) as service:
        told = service.post({"video": content, "num_frames": 3, "expressions": ["the cup"]}, "/v1/segment").json
        shown = service.post({"video": content, "num_frames": 3}, "/v1/frames").json
    assert (told["frame_numbers"], told["num_frames_in_clip"]) == ([0, 5, 10], 11)
    assert told["times_s"] == [0, round(5 / 24, 3), round(10 / 24, 3)]
    assert len(told["answers"][0]["masks"]) == 3
    import base64  # noqa: PLC0415

    greys = [np.asarray(Image.open(io.BytesIO(base64.b64decode(frame)))).mean() for frame in shown["frames"]]
    assert greys == pytest.approx([20, 70, 120], abs=4)  # frame k has the level 20 + 10 k


@pytest.mark.parametrize(("ending", "kind"), [("avi", "avi"), ("mkv", "matroska")])
def test_other_kinds_of_video_are_told_by_their_first_bytes(drawer, tmp_path, ending, kind):
    content = as_base64(write_video(tmp_path / f"clip.{ending}", num_frames=3).read_bytes())
    with served(drawer) as service:
        assert service.post({"video": content}, "/v1/frames").json["num_frames_in_clip"] == 3, kind


def test_clips_of_a_folder_are_asked_about_by_name(drawer, tmp_path):
    (tmp_path / "bear").mkdir()
    for number in range(3):
        Image.fromarray(picture(WIDTH, HEIGHT, number)).save(tmp_path / "bear" / f"{number:05d}.png")
    write_video(tmp_path / "walk.mp4", num_frames=4)
    (tmp_path / "notes.txt").write_text("none of them")
    with served(drawer, clips=ClipFolder(tmp_path)) as service:
        assert service.get("/v1/clips").json["clips"] == ["bear", "walk.mp4"]
        told = service.post({"clip": "bear", "expressions": ["the bear"]}, "/v1/segment").json
        video = service.post({"clip": "walk.mp4"}, "/v1/frames").json
        refused = [service.post({"clip": name}, "/v1/frames") for name in ("../bear", "notes.txt", "bear/00000.png", "/etc")]
    assert (told["frame_numbers"], len(told["answers"][0]["masks"])) == ([0, 1, 2], 3)
    assert video["num_frames_in_clip"] == 4
    assert {(answer.status, answer.error["where"]) for answer in refused} == {(422, "clip")}
    assert all("no clip is called" in answer.error["message"] for answer in refused)


@pytest.mark.parametrize(
    ("body", "status", "where", "said"),
    [
        ({"images": FRAMES, "expressions": []}, 422, "expressions", "length >= 1"),
        ({"images": FRAMES, "expressions": [" "]}, 422, "expressions[0]", "0 characters"),
        ({"images": FRAMES, "expressions": ["x" * 1001]}, 422, "expressions[0]", "1,001 characters"),
        ({"images": FRAMES, "expressions": ["x"] * 17}, 422, "expressions", "length <= 16"),
        ({"images": FRAMES, "expressions": ["x"], "masks": "gif"}, 422, "masks", "gif"),
        ({"images": FRAMES, "expressions": ["x"], "question": "?"}, 422, "body", "question"),
        ({"expressions": ["x"]}, 422, "images", "none of them"),
        ({"images": FRAMES, "clip": "bear", "expressions": ["x"]}, 422, "images", "images and clip"),
        ({"clip": "bear", "expressions": ["x"]}, 422, "clip", "no clips of its own"),
        ({"images": [FRAMES[0], sent(picture(20, 20))], "expressions": ["x"]}, 422, "images[1]", "20 x 20"),
        ({"images": FRAMES[:1] * 5, "expressions": ["x"]}, 422, "images", "5 pictures; at most 4"),
        ({"video": "AAAA", "num_frames": 5, "expressions": ["x"]}, 422, "num_frames", "at most 4"),
        ({"images": FRAMES, "num_frames": 0, "expressions": ["x"]}, 422, "num_frames", ">= 1"),
        ({"images": FRAMES, "fps": 0, "expressions": ["x"]}, 422, "fps", "> 0"),
        ({"video": as_base64(b"no video at all"), "expressions": ["x"]}, 422, "video", "MP4, Matroska"),
        ({"video": as_base64(b"\0\0\0\x1cftypisom" + bytes(40)), "expressions": ["x"]}, 422, "video", "video"),
        ({"images": ["http://example.org/a.png"], "expressions": ["x"]}, 422, "images[0]", "base64"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(drawer, body, status, where, said):
    with served(drawer, limits=Limits(max_frames=4)) as service:
        answer = service.post(body, "/v1/segment")
    assert (answer.status, answer.error["where"]) == (status, where)
    assert said in answer.error["message"]
    assert drawer.batches == []


def test_pixels_are_counted_before_they_are_kept(drawer, tmp_path):
    content = as_base64(write_video(tmp_path / "clip.mp4", num_frames=6).read_bytes())
    with served(drawer, limits=Limits(max_pixels=5 * WIDTH * HEIGHT)) as service:
        enough = service.post({"video": content, "num_frames": 5}, "/v1/frames")
        video = service.post({"video": content, "num_frames": 6}, "/v1/frames")
        pictures = service.post({"images": FRAMES[:1] * 6}, "/v1/frames")
    assert (enough.status, video.status, video.error["where"]) == (200, 413, "num_frames")
    assert (pictures.status, pictures.error["where"]) == (413, "images[5]")


def test_a_video_that_goes_on_and_on_is_not_decoded_to_its_end(drawer, tmp_path, monkeypatch):
    monkeypatch.setattr("sightline.serve.clips.MOST_DECODED", 5)
    content = as_base64(write_video(tmp_path / "clip.mp4", num_frames=6).read_bytes())
    with served(drawer) as service:
        answer = service.post({"video": content}, "/v1/frames")
    assert answer.status == 422
    assert "at most 5 frames" in answer.error["message"]


def test_where_the_queue_is_full_no_expression_stays_in_it(drawer):
    with served(drawer, max_queue=2) as service:
        answer = service.post({"images": FRAMES, "expressions": ["a", "b", "c"]}, "/v1/segment")
        again = service.post({"images": FRAMES, "expressions": ["a", "b"]}, "/v1/segment")
    assert answer.status == 503
    assert again.status == 200
    assert [len(batch) for batch in drawer.batches] == [2]


def test_a_model_without_masks_says_so_and_has_no_page():
    with served(Speaker(lambda _: "")) as service:
        answer, clips, page = (
            service.post({"images": FRAMES, "expressions": ["x"]}, "/v1/segment"),
            service.get("/v1/clips"),
            service.get("/"),
        )
    assert (answer.status, clips.status, answer.error["where"]) == (422, 422, "model")
    assert "gives no masks" in answer.error["message"]
    assert page.status == 404


def test_the_page_needs_no_token_and_everything_else_does(drawer):
    with served(drawer, access=Access(loopback=True, token=TOKEN.encode())) as service:
        assert [service.get(path).status for path in ("/", "/page.js", "/page.css", "/viewer.js")] == [200] * 4
        assert service.get("/", Host="evil.example").status == 421
        assert service.get("/v1/clips").status == 401
        assert service.post({"images": FRAMES, "expressions": ["x"]}, "/v1/segment").status == 401
        assert service.get("/v1/clips", Authorization=f"Bearer {TOKEN}").status == 200


def test_the_page_may_load_nothing_from_elsewhere(drawer):
    with served(drawer) as service:
        page = service.get("/")
        files = [page, *(service.get(path) for path in ("/page.js", "/page.css", "/viewer.js"))]
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    for file in files:
        text = file.body.decode().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert "://" not in text
        assert "innerHTML" not in text


@pytest.mark.parametrize(
    ("num_frames", "wanted", "found"), [(11, 3, (0, 5, 10)), (4, 9, (0, 1, 2, 3)), (5, 1, (0,)), (10, 4, (0, 3, 6, 9))]
)
def test_frames_are_taken_evenly(num_frames, wanted, found):
    assert even(num_frames, wanted) == found
