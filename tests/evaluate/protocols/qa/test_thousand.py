"""Every rule on a thousand random answers gives the numbers of the public code; `thousand.json` pins them, and says whose."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sightline.evaluate.protocols.qa import RULES
from sightline.evaluate.protocols.qa.answered import Answered
from sightline.evaluate.protocols.qa.java_metrics import NotRun, treebank
from sightline.evaluate.protocols.qa.vsi import LETTERS
from tests.evaluate.protocols.qa.random_answers import COUNT, REVSI, Random, random_marked, random_spoken

PINNED = json.loads((Path(__file__).parent / "thousand.json").read_text())["rules"]
TENTHS = "0123456789a"
LETTER_RULES = {
    "mindcube": "mindcube",
    "mindcube-lmms-eval": "mindcube-lmms-eval",
    "mindcube-vlmevalkit": "letters-vlmevalkit",
    "viewspatial": "viewspatial",
    "viewspatial-vlmevalkit": "letters-vlmevalkit",
}
WORD_RULES = ("scanqa", "scanqa-leo", "sqa3d")
VSI_RULES = ("vsi-official", "vsi-lmms-eval", "vsi-vlmevalkit", "vsi-spatial-mllm", "vsi-debiased")


def answered(questions: Sequence[Random], *, ending: str = "") -> list[Answered]:
    return [Answered(id=each.id, category=each.category, accepted=(each.truth + ending,), text=each.text) for each in questions]


def spoken(*, first_only: bool = False) -> list[Answered]:
    return [
        Answered(id=str(number), category="what", accepted=accepted[:1] if first_only else accepted, text=text)
        for number, (accepted, text) in enumerate(random_spoken())
    ]


def check(rule: str, questions: list[Answered], pinned: str) -> None:
    expected = PINNED[pinned]
    tally = RULES[rule]()(questions)
    assert "".join(TENTHS[round(10 * value)] for value in tally.values) == expected["values"]
    for name, value in expected.items():
        if name != "values":
            assert tally.metrics[name].value == pytest.approx(value, abs=1e-6), name


def test_every_rule_is_here():
    assert {*VSI_RULES, *LETTER_RULES, *WORD_RULES, "scanqa-llava3d", "revsi"} == set(RULES)
    assert len(random_marked()) == len(random_spoken()) == COUNT == 1000


@pytest.mark.parametrize("rule", VSI_RULES)
def test_vsi_bench(rule: str):
    check(rule, answered(random_marked()), "vsi-official" if rule == "vsi-debiased" else rule)


@pytest.mark.parametrize("rule", LETTER_RULES)
def test_letters(rule: str):
    ending = ". left" if rule == "viewspatial" else ""
    check(rule, answered([each for each in random_marked() if each.category in LETTERS], ending=ending), LETTER_RULES[rule])


def test_revsi():
    check("revsi", answered(random_marked(REVSI)), "revsi")


@pytest.mark.parametrize("rule", WORD_RULES)
def test_words(rule: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")  # METEOR takes long, and has its own test
    tally = RULES[rule]()(spoken(first_only=rule == "sqa3d"))
    for name, value in PINNED[rule].items():
        if name != "meteor":
            assert tally.metrics[name].value == pytest.approx(value, abs=1e-9), name


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["scanqa", "scanqa-llava3d"])
def test_words_with_java(rule: str):
    try:
        treebank([["a chair"]])
    except NotRun as error:
        pytest.skip(str(error))
    tally = RULES[rule]()(spoken())
    for name, value in PINNED[rule].items():
        assert tally.metrics[name].value == pytest.approx(value, abs=1e-9), name
