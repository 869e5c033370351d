"""The corners of the rules, worked by hand."""

import pytest

from sightline.evaluate.protocols.qa import RULES
from sightline.evaluate.protocols.qa.answered import Answered, ScriptStops
from sightline.evaluate.protocols.qa.letters import mindcube, mindcube_letter, mindcube_lmms_eval
from sightline.evaluate.protocols.qa.ngrams import bleu, cider, rouge_l
from sightline.evaluate.protocols.qa.relative_accuracy import relative_accuracy, single_relative_accuracy
from sightline.evaluate.protocols.qa.vlmevalkit import last_number, option_letter
from sightline.evaluate.protocols.qa.vsi import DIRECTIONS, first_number, official_number, vsi_official, vsi_spatial_mllm
from sightline.evaluate.protocols.qa.wording import matches, matches_in_order


def asked(category: str, truth: str, text: str, question_id: str = "0") -> Answered:
    return Answered(id=question_id, category=category, accepted=(truth,), text=text)


def test_an_error_of_half_is_within_one_tolerance_or_none():
    # 2.5 for 5: |2.5 - 5| / 5 = 0.5, equal to 1 - 0.50 and above the other nine
    assert relative_accuracy(0.5) == 0.1
    assert single_relative_accuracy(2.5, 5.0) == 0.0
    # 4 for 5: 0.2 is above 1 - 0.8 in doubles, so 0.50 to 0.75 are met: six of ten
    assert relative_accuracy(abs(4 - 5) / 5) == 0.6
    assert single_relative_accuracy(4.0, 5.0) == pytest.approx(0.6)


def test_official_reading_stops_at_a_truth_of_0_and_reads_what_python_reads():
    assert official_number("3 meters", "3") == 1.0
    assert official_number("about 3", "3") == 0.0
    assert official_number("1_0", "10") == 1.0
    assert official_number("nan", "10") == 0.0
    with pytest.raises(ScriptStops):
        official_number("0", "0")
    tally = vsi_official([asked("object_counting", "0", "0"), asked("object_counting", "2", "2")])
    assert (tally.values, tally.counts["num_stopped"]) == ((0.0, 1.0), 1)


def test_the_three_grades_of_direction_are_one_task():
    answers = [asked(name, "A", "A") for name in DIRECTIONS] + [asked("route_planning", "A", "B")]
    tally = vsi_official(answers)
    assert tally.metrics["object_rel_direction"].value == 1.0
    assert tally.metrics["overall"].value == 0.5  # (1 + 0) / 2, not 3 of 4


def test_an_official_mean_without_all_grades_is_not_run():
    answers = [asked("object_rel_direction_easy", "A", "A"), asked("route_planning", "A", "A")]
    assert vsi_official(answers).metrics["overall"].value is None
    assert "object_rel_direction_medium" in vsi_official(answers).not_run["overall"]
    assert vsi_spatial_mllm(answers).metrics["overall"].value == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("three hundred and twenty-one", 321.0),
        ("one apple, room 2", 1.0),
        ("-3.5 m", -3.5),
        ("two thousand five", 2005.0),
        ("", None),
    ],
)
def test_the_first_number_in_digits_or_words(text: str, value: float | None):
    assert first_number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("two meters", 2.0),
        ("twenty-one", -1.0),
        ("[3.5, 4]", 3.5),
        ("<answer>2.5 m</answer> 7", 2.5),
        ("<think>9</think>", 9.0),
        ("[x]", None),
    ],
)
def test_vlmevalkit_reads_the_last_number(text: str, value: float | None):
    assert last_number(text) == value


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("<answer>because", None),
        ("<answer>because</answer>", "B"),
        ("Option A: chair\nOption B: table\n**B**", "B"),
        ("the answer is c", "C"),
        ("A or B", None),
        ("", None),
    ],
)
def test_vlmevalkit_finds_the_letter(text: str, letter: str | None):
    assert option_letter(text) == letter


def test_a_long_text_of_open_tags_is_read_in_bounded_time():
    assert option_letter("<answer" * 20_000) is None
    assert last_number("<answer" * 20_000 + "4") == 4.0


def test_mindcube_takes_the_last_dotted_capital_first():
    assert mindcube_letter("I weigh A. and B.\nMy answer is C") == "B"
    assert mindcube_letter("<Answer>The answer is D</Answer> B") == "D"
    assert mindcube_letter("x\nC y\nno") == "C"
    assert mindcube_letter("") is None


def test_mindcube_leaves_translations_out_and_lmms_eval_does_not():
    answers = [asked("x", "A", "A", "around_1"), asked("x", "A", "B", "translation_2")]
    assert mindcube(answers).metrics["overall"].value == 1.0
    assert mindcube(answers).counts == {"num_left_out": 1}
    assert mindcube_lmms_eval(answers).metrics["overall"].value == 0.5


def test_an_exact_match_behind_a_partial_one_counts_for_llava3d_and_not_for_leo():
    assert matches("red chair", ["chair", "red chair"]) == (True, True)
    assert matches_in_order("red chair", ["chair", "red chair"]) == (False, True)
    assert matches("", ["chair"]) == (False, True)


def test_bleu_rouge_and_cider_of_two_texts_by_hand():
    one, two, three, four = bleu(["red chair"], [["red table", "a chair"]])
    # both words stand in a reference, no bigram does: BLEU-1 = 2/2, BLEU-2 = sqrt(1 * 0/1)
    assert one == pytest.approx(1.0)
    assert max(two, three, four) < 1e-5
    # common word 1 of 2: precision and recall 0.5 each
    assert rouge_l("red chair", ["red table"]) == pytest.approx(0.5)
    # each text is its own reference and shares no n-gram with the other: both orders that exist have cosine 1, of four
    assert cider(["red chair", "blue table"], [["red chair"], ["blue table"]]) == pytest.approx([5.0, 5.0])
    assert cider(["red chair"], [["red chair"]]) == [0.0]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_no_answers_are_no_error(rule: str):
    tally = RULES[rule]()([])
    assert all(metric.value is None for metric in tally.metrics.values())
