"""Tags, options, measures and answers in the words of spatial questions."""

import pytest

from sightline.datasets.questions.measures import asked_unit, in_unit, parse_measure
from sightline.datasets.questions.qa_text import Unusable, find_options, listed_options, place_media, read_answer, split_how
from sightline.datasets.questions.scenes import SceneName, dataset_name, scene_in_paths
from sightline.types import Choice, Medium, Number, TextAnswer

IMAGE, VIDEO = Medium(path="a"), Medium(path="v", what="video")
OPTIONS = (("A", "table"), ("B", "sofa"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4", Number(value=4)),
        ("2.5", Number(value=2.5)),
        ("1,200 cm", Number(value=1200, unit="cm")),
        ("two meters", Number(value=2, unit="m")),
        ("Two metres.", Number(value=2, unit="m")),
        ("35.5 square meters", Number(value=35.5, unit="m2")),
        ("3 m^2", Number(value=3, unit="m2")),
        (".5m", Number(value=0.5, unit="m")),
        ("about 2", None),
        ("2 or 3", None),
        ("two chairs", None),
        ("1.2.3", None),
        ("", None),
        ("-", None),
        (".", None),
        ("meters", None),
    ],
)
def test_a_text_is_a_number_only_as_a_whole(text: str, expected: Number | None) -> None:
    assert parse_measure(text) == expected


def test_lengths_are_converted_and_areas_are_not_lengths() -> None:
    assert in_unit(Number(value=2, unit="m"), "cm") == Number(value=200, unit="cm")
    assert in_unit(Number(value=2), "cm") == Number(value=2, unit="cm")
    assert in_unit(Number(value=2, unit="m2"), "cm") is None
    assert asked_unit("What is the length of the door, in centimeters?") == "cm"
    assert asked_unit("What is the size of this room (in square meters)?") == "m2"
    assert asked_unit("How many chairs are in this room?") == ""


def test_media_stand_where_their_tags_are_and_quoted_tags_are_words() -> None:
    placed = place_media(['<image> and <video>: the sign says "<image>".', "And <image>?"], [IMAGE, Medium(path="b")], [VIDEO])
    assert not isinstance(placed, Unusable)
    assert placed[0][:3] == (IMAGE, " and ", VIDEO)
    assert "".join(part for part in placed[0] if isinstance(part, str)) == ' and : the sign says "<image>".'
    assert placed[1] == ("And ", Medium(path="b"), "?")


@pytest.mark.parametrize(("images", "videos"), [([], []), ([IMAGE, IMAGE], []), ([IMAGE], [VIDEO])])
def test_tags_and_media_of_different_number_are_named(images: list[Medium], videos: list[Medium]) -> None:
    found = place_media(["<image> Where? '<video>'"], images, videos)
    assert isinstance(found, Unusable)
    assert found.reason == "tags_do_not_match_media"


def test_the_last_line_that_says_how_to_answer_is_cut_off() -> None:
    text = "How many?\nPlease answer the question using a single word or phrase."
    assert split_how(text) == ("How many?\n", "Please answer the question using a single word or phrase.")
    assert split_how("Where is the answer?") == ("Where is the answer?", "")


def test_options_stand_in_lines_or_in_one() -> None:
    assert find_options("Which?\nOptions:\nA. table\nB. sofa\n") == OPTIONS
    assert find_options("Which is it? A. table B. sofa") == OPTIONS
    assert find_options("Vitamin A. Is it? A. table B. sofa") == OPTIONS  # the first A has no B behind it
    assert find_options("I see a table.") == ()
    assert listed_options(["A. table", "sofa"]) == OPTIONS


@pytest.mark.parametrize("answer", ["B", "b.", "(B)", "B. sofa", "<answer>B. sofa</answer>", "Sofa"])
def test_a_choice_is_its_letter(answer: str) -> None:
    assert read_answer(answer, OPTIONS, "object_rel_distance") == Choice(value="B")


@pytest.mark.parametrize(
    ("answer", "options", "kind", "reason"),
    [
        ("C", OPTIONS, "object_rel_distance", "answer_not_an_option"),
        ("A. sofa", OPTIONS, "", "answer_not_an_option"),  # the letter of one, the words of the other
        ("", OPTIONS, "", "answer_empty"),
        ("<answer> </answer>", (), "", "answer_empty"),
        ("A", (), "route_planning", "options_missing"),
        ("many", (), "object_counting", "answer_unreadable"),
        ("2 square meters", (), "object_abs_distance", "answer_unreadable"),
    ],
)
def test_an_answer_of_no_use_says_why(answer: str, options: tuple[tuple[str, str], ...], kind: str, reason: str) -> None:
    found = read_answer(answer, options, kind)
    assert isinstance(found, Unusable)
    assert found.reason == reason


def test_numbers_have_the_unit_of_their_question_and_other_answers_are_words() -> None:
    assert read_answer("two meters", (), "object_abs_distance") == Number(value=2, unit="m")
    assert read_answer("two meters", (), "object_size_estimation") == Number(value=200, unit="cm")
    assert read_answer("3", (), "", "How far is it, in meters?") == Number(value=3, unit="m")
    assert read_answer("brown cabinet", (), "what") == TextAnswer(text="brown cabinet")


def test_scenes_have_one_spelling() -> None:
    assert [dataset_name(name) for name in ("ScanNet++", "ARKitScenes", "ScanNet_v2", "Hypersim")] == [
        *("scannetpp", "arkitscenes", "scannet"),
        "hypersim",
    ]
    assert scene_in_paths(["visuals/ScanNet/videos/scene0191_00.mp4"]) == SceneName("scannet", "scene0191_00")
    assert scene_in_paths(["scannetpp/videos/7b6477cb95.mp4"]) == SceneName("scannetpp", "7b6477cb95")
    assert scene_in_paths(["frames/scene0191_00/12.jpg", "frames/scene0191_00/14.jpg"]) == SceneName("scannet", "scene0191_00")
    assert scene_in_paths(["other/among/g1/a.jpg", "other/among/g1/b.jpg"]) == SceneName("other", "among/g1")
    assert scene_in_paths(["a.png"]) == SceneName("", "a")
    assert scene_in_paths([]) is None
