"""Reading one word of a few: what counts as yes, as no, as both and as neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.dialects import DIALECTS, Size, get_dialect
from sightline.errors import InputError
from sightline.types import AnswerForm, Choice, MaskAnswer, MaskRle

FORM = AnswerForm(shape="choice", image_index=1, options=("yes", "no"))
MASK_FORM = AnswerForm(shape="mask", image_index=1)
SCRAPS = ["yes", "no", " ", ".", "<think>", "</think>", "<answer>", "</answer>", "not visible", "_", "ＮＯ", "\n", "[", "0.5"]
PICTURES = (Size(100, 100), Size(200, 100))


def read(text, form=FORM):
    return get_dialect("roborefer").decode(text, form, PICTURES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("Yes, it is.", "yes"),
        ("**YES**", "yes"),
        ("The answer is yes.", "yes"),
        ("Yes: there is no other object like it.", "yes"),  # "no" before a word is grammar
        ("No", "no"),
        ("no.\n", "no"),
        ("No such object is in the picture.", "no"),  # at the very start it is the answer
        ("No, it is not visible.", "no"),
        ("No, no, no!", "no"),
        ("<think>Yes? It could be.</think>no", "no"),
        ("yes, I think <answer>No</answer>", "no"),
        ("Answer：no", "no"),
    ],
)
def test_one_offered_word_is_the_answer(text, value):
    reading = read(text)
    assert (reading.status, reading.answer, reading.num_found) == ("ok", Choice(value=value), 1)


@pytest.mark.parametrize("text", ["yes and no", "Yes. No.", "yes/no", "Yes, but it is not visible.", "<answer>yes or no</answer>"])
def test_two_claims_are_ambiguous(text):
    reading = read(text)
    assert (reading.status, reading.answer) == ("ambiguous", None)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("It is not visible.", "absence_phrase"),  # a description is no claim,
        ("NOT_VISIBLE", "absence_phrase"),
        ("I see it on the table.", "no_choice"),  # neither this way nor that
        ("There is no cup.", "no_choice"),
        ("yesterday, nobody noticed", "no_choice"),
        ("[(0.5, 0.5)]", "no_choice"),
    ],
)
def test_what_offers_no_word_is_unreadable(text, note):
    reading = read(text)
    assert (reading.status, reading.answer, reading.notes) == ("unreadable", None, (note,))


def test_reasoning_that_never_ends_is_truncated_and_an_answer_before_it_is_kept():
    assert (read("<think>yes, or").status, read("<think>yes, or").answer) == ("truncated", None)
    kept = read("yes <think>or no")
    assert (kept.status, kept.answer) == ("truncated", Choice(value="yes"))


@pytest.mark.parametrize("text", ["", "  \n", "<answer></answer>"])
def test_no_text_is_empty(text):
    assert read(text).status == "empty"


def test_any_words_can_be_offered():
    form = AnswerForm(shape="choice", image_index=0, options=("left", "right", "behind"))
    assert read("It is to the LEFT.", form).answer == Choice(value="left")
    assert read("left, or behind", form).status == "ambiguous"
    assert get_dialect("qwen3").instruction(form) == 'Answer with one word, "left", "right" or "behind".'


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_offers_writes_and_reads_the_words_and_no_coordinates(name):
    dialect = get_dialect(name)
    assert dialect.instruction(FORM) == 'Answer with one word, "yes" or "no".'
    for value in FORM.options:
        assert dialect.decode(dialect.encode(Choice(value=value), PICTURES), FORM, PICTURES).answer == Choice(value=value)


@pytest.mark.parametrize("name", DIALECTS)
def test_no_dialect_writes_masks_and_each_says_so(name):
    dialect = get_dialect(name)
    mask = MaskAnswer(rle=MaskRle(height=2, width=2, counts="211"), image_index=1)
    with pytest.raises(InputError, match=f"dialect '{name}' cannot write masks"):
        dialect.instruction(MASK_FORM)
    with pytest.raises(InputError, match="cannot write masks"):
        dialect.encode(mask, PICTURES)
    reading = dialect.decode("<mask>211</mask>", MASK_FORM, PICTURES)
    assert (reading.status, reading.notes) == ("unreadable", ("no_masks_in_text",))


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"),
        ("b", "B"),
        ("(B)", "B"),
        ("(A) a cup", "A"),
        ("A. a cup", "A"),
        ("The answer is B: a cup.", "B"),
        ("I choose A because a cup is there", "A"),
        ("A cup stands nearer, so (B)", "B"),
        ("a cup", None),
        ("It is a cup", None),
        ("(A) or (B)", None),
    ],
)
def test_a_letter_is_told_from_the_article(text, letter):
    form = AnswerForm(shape="choice", image_index=0, options=("A", "B"))
    answer = get_dialect("roborefer").decode(text, form, PICTURES).answer
    assert answer == (Choice(value=letter) if letter else None)


def test_a_megabyte_of_words_is_read_in_one_pass():
    assert read("no, " * 250_000).answer == Choice(value="no")
    assert read("nobody " * 150_000).status == "unreadable"


@given(text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(SCRAPS)).map("".join)))
def test_no_text_makes_the_reader_raise(text):
    reading = read(text)
    assert (reading.answer is not None) == (reading.status == "ok" or (reading.status == "truncated" and reading.num_found == 1))
    assert reading.answer in (None, Choice(value="yes"), Choice(value="no"))
