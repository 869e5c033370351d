"""The words around media, in each form; those of the original are also in the golden cases."""

import pytest

from sightline.errors import InputError
from sightline.models.roborefer.text_forms import FORMS, Form, Part, Placeholders, Slot, Turn, contents, row_turns
from sightline.models.roborefer.tiling import Mode

IMAGE, DEPTH = Slot("image"), Slot("depth")


def words(parts: tuple[Part, ...], given: Placeholders, mode: Mode = "dynamic", form: Form = "consistent") -> str:
    return contents([Turn("user", parts)], given, mode=mode, form=form, where="sample 'a'")[0]


def test_the_consistent_form_is_what_the_weights_were_trained_on() -> None:
    two = Placeholders(image=(2, 1))
    for form in ("consistent", "training"):
        said = words((IMAGE, IMAGE, "Where?"), two, form=form)
        assert said == "<image>\n<image>\n\n<image>\n\nWhere?"
    # asked in the original, the last tile of a picture has one newline
    assert words((IMAGE, IMAGE, "Where?"), two, form="published") == "<image>\n<image>\n<image>\nWhere?"


def test_the_consistent_form_is_the_same_with_and_without_an_answer() -> None:
    given = Placeholders(image=(3,), depth=(3,), depth_of=(0,))
    asked = [Turn("user", (IMAGE, DEPTH, "Where?"))]
    said = [*asked, Turn("assistant", ("[(0.5, 0.5)]",))]
    for mode in ("resize", "dynamic", "dynamic_s2"):
        alone = contents(asked, given, mode=mode, form="consistent", where="a")
        assert contents(said, given, mode=mode, form="consistent", where="a")[:1] == alone


def test_resize_has_a_newline_after_each_picture_and_pairs_stand_together() -> None:
    assert words((IMAGE, IMAGE, "Where?"), Placeholders(image=(1, 1)), "resize") == "<image>\n<image>\nWhere?"
    pairs = Placeholders(image=(1, 1), depth=(1, 1), depth_of=(0, 1))
    assert words((IMAGE, IMAGE, DEPTH, DEPTH, "Where?"), pairs, "resize") == "<image> <depth>\n<image> <depth>\nWhere?"


def test_one_picture_of_two_may_have_depth() -> None:
    second = Placeholders(image=(1, 1), depth=(1,), depth_of=(1,))
    assert words((IMAGE, IMAGE, DEPTH, "Where?"), second, "resize") == "<image>\n<image> <depth>\nWhere?"
    assert words((IMAGE, IMAGE, DEPTH, "Where?"), second) == "<image>\n\n<image>\n <depth>\n\nWhere?"


def test_as_many_depth_as_pictures_are_paired_when_tiled_and_left_as_given_when_not() -> None:
    pairs = Placeholders(image=(1, 1), depth=(1, 1), depth_of=(0, 1))
    parts = ("First ", IMAGE, IMAGE, DEPTH, DEPTH, "where?")
    assert words(parts, pairs, "resize", "published") == "First <image><image><depth><depth>where?"
    assert words(parts, pairs, "dynamic", "published") == "<image>\n <depth>\n\n<image>\n <depth>\n\nFirst where?"


def test_unequal_numbers_are_not_paired() -> None:
    given = Placeholders(image=(1, 2), depth=(2,), depth_of=(1,))
    said = words((IMAGE, "and", IMAGE, DEPTH, "where?"), given, form="published")
    assert said == "<image>\nand<image>\n<image>\n<depth>\n<depth>\nwhere?"


def test_a_media_token_within_words_is_taken_out_as_in_the_original_and_refused_by_us() -> None:
    parts = (IMAGE, "Is it <image> left? ", "Or right?")
    assert words(parts, Placeholders(image=(1,)), "resize", "published") == "<image>Is it  left?Or right?"
    with pytest.raises(InputError, match="'<image>'"):
        words(parts, Placeholders(image=(1,)))


def test_training_in_resize_mode_leaves_placeholders_where_they_stand() -> None:
    turns = row_turns([("human", "One <image> two <image>\nwhere?"), ("gpt", "[]")], num_images=2, num_depths=0, mode="resize")
    said = contents(turns, Placeholders(image=(1, 1)), mode="resize", form="training", where="a")
    assert said == ("One <image>\ntwo <image>\nwhere?", "[]")


def test_a_row_without_placeholders_gets_one_for_each_picture_in_front() -> None:
    turns = row_turns([("human", "where?"), ("gpt", "[]")], num_images=2, num_depths=0, mode="resize")
    assert turns[0].parts == (IMAGE, IMAGE, "where?")


@pytest.mark.parametrize(
    ("parts", "given", "message"),
    [
        ((IMAGE, "where?"), Placeholders(image=(1, 1)), "2 pictures, but 1 image slots"),
        ((IMAGE, IMAGE, "where?"), Placeholders(image=(1,)), "1 picture, but 2 image slots"),
        ((IMAGE, "where?"), Placeholders(image=(1,), depth=(1,)), "1 depth picture, but 0 depth slots"),
        ((DEPTH, "where?"), Placeholders(depth=(1,)), "depth without pictures"),
        (("<|im_end|>",), Placeholders(), r"'<\|im_end\|>'.*Change the wording"),
        (("<vila/sentinel>",), Placeholders(), "sentinel"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_media_are_counted_against_slots_in_every_form(
    parts: tuple[Part, ...], given: Placeholders, message: str, form: Form
) -> None:
    with pytest.raises(InputError, match=rf"sample 'a': .*{message}"):
        words(parts, given, form=form)


def test_a_slot_in_an_answer_is_refused() -> None:
    turns = [Turn("user", ("where?",)), Turn("assistant", (IMAGE,))]
    with pytest.raises(InputError, match="a media slot in an answer"):
        contents(turns, Placeholders(image=(1,)), mode="dynamic", form="consistent", where="sample 'a'")


def test_depth_in_resize_mode_has_no_training_form() -> None:
    with pytest.raises(InputError, match="Use the form 'consistent'"):
        words((IMAGE, DEPTH, "where?"), Placeholders(image=(1,), depth=(1,), depth_of=(0,)), "resize", "training")
