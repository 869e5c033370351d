"""Every rule gives what the public code gave on the same texts; the numbers are pinned in the two files, with their origin."""

import json
from pathlib import Path

import pytest

from sightline.evaluate.protocols.qa import RULES
from sightline.evaluate.protocols.qa.answered import Answered
from sightline.evaluate.protocols.qa.java_metrics import NotRun, meteor, treebank
from sightline.evaluate.protocols.qa.vsi import LETTERS
from sightline.evaluate.protocols.qa.wording import clean_answer

HERE = Path(__file__).parent
MARKED = json.loads((HERE / "letters_and_numbers.json").read_text())
WORDS = json.loads((HERE / "words.json").read_text())
JAVA = ("meteor", "spice")


def questions(rule: str) -> list[Answered]:
    found = [
        Answered(id=each["id"], category=each["category"], accepted=(each["truth"],), text=each["text"])
        for each in MARKED["questions"]
        if rule.startswith("vsi") or each["category"] in LETTERS
    ]
    if not rule.startswith("viewspatial"):
        return found
    return [Answered(id=each.id, category=each.category, accepted=(f"{each.truth}. left",), text=each.text) for each in found]


def spoken(*, first_only: bool = False) -> list[Answered]:
    return [
        Answered(
            id=str(index),
            category=each["category"],
            accepted=tuple(each["accepted"][: 1 if first_only else None]),
            text=each["text"],
        )
        for index, each in enumerate(WORDS["questions"])
    ]


def has_java() -> bool:
    try:
        treebank([["a chair"]])
    except NotRun:
        return False
    return True


@pytest.mark.parametrize(
    ("rule", "pinned"),
    [(name, name) for name in MARKED["rules"] if name in RULES] + [("viewspatial-vlmevalkit", "letters-vlmevalkit")],
)
def test_letters_and_numbers_are_scored_as_by_the_public_code(rule: str, pinned: str):
    expected = MARKED["rules"][pinned]
    tally = RULES[rule]()(questions(rule))
    assert tally.values == pytest.approx(expected["values"], abs=1e-7)
    assert tally.metrics["overall"].value == pytest.approx(expected["overall"], abs=1e-6)
    assert 0 < sum(tally.values) < len(tally.values)


def test_answers_are_cleaned_as_by_the_public_code():
    assert [clean_answer(each["text"]) for each in WORDS["questions"]] == [each["cleaned"] for each in WORDS["questions"]]


@pytest.mark.parametrize("rule", ["scanqa", "scanqa-leo", "sqa3d"])
def test_words_are_scored_as_by_the_public_code(rule: str):
    tally = RULES[rule]()(spoken(first_only=rule == "sqa3d"))
    for name, value in WORDS["rules"][rule].items():
        if name not in JAVA:
            assert tally.metrics[name].value == pytest.approx(value, abs=1e-9), name


def test_without_java_a_metric_is_not_run_and_never_0(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    tally = RULES["scanqa"]()(spoken())
    assert "meteor" not in tally.metrics
    assert "a program called java" in tally.not_run["meteor"]
    assert tally.metrics["cider"].value == pytest.approx(WORDS["rules"]["scanqa"]["cider"])
    strict = RULES["scanqa-llava3d"]()(spoken())
    assert set(strict.metrics) == {"em", "em_refined"}
    assert strict.not_run.keys() == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "meteor", "spice"}


def test_with_java_meteor_and_the_tokenizer_give_the_public_numbers():
    if not has_java():
        pytest.skip("Java and pycocoevalcap are not here")
    tally = RULES["scanqa-llava3d"]()(spoken())
    for name, value in WORDS["rules"]["scanqa-llava3d"].items():
        assert tally.metrics[name].value == pytest.approx(value, abs=1e-9), name
    assert meteor([each.text.rstrip(".") for each in spoken()], [each.accepted for each in spoken()]) == pytest.approx(
        WORDS["rules"]["scanqa"]["meteor"], abs=1e-9
    )
