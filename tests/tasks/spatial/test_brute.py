"""Every generated answer is re-verified by brute force, in rooms whose geometry is known; and what the set as a whole is like."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from sightline.tasks.spatial import KINDS
from sightline.tasks.spatial.asking import LETTERS, ask_all
from sightline.tasks.spatial.facts import Scene
from sightline.tasks.spatial.options import SpatialOptions
from sightline.types import Choice, Example, LedgerEntry, Number, TextPart
from tests.tasks.spatial import brute
from tests.tasks.spatial.rooms import footage, rendered, strewn

FEW = SpatialOptions(limit_nearest=12, limit_distance=20, limit_direction=12, limit_order=8)
PLACES = {
    "large": lambda: strewn(1, 40),
    "small": lambda: strewn(2, 14, size=(6.0, 5.0)),
    "crowded": lambda: strewn(3, 25, size=(5.0, 4.0)),
    "demo 0": lambda: rendered(0)[0],
    "demo 4": lambda: rendered(4)[0],
}


def asked(place, options=FEW) -> list[Example]:
    return [found for found in ask_all(Scene(place, options), footage(place), split="train") if isinstance(found, Example)]


@pytest.mark.parametrize("name", PLACES)
def test_every_answer_is_what_brute_force_finds(name):
    place = PLACES[name]()
    examples = asked(place)
    assert len(examples) > 60
    for example in examples:
        brute.check(example, place)


def test_every_kind_is_asked_somewhere():
    kinds = {example.tier for name in ("large", "demo 0") for example in asked(PLACES[name]())}
    assert kinds == set(KINDS)


def test_a_wrong_answer_does_not_pass_the_check():
    """Each check fails when the answer is another one, so that passing says something."""
    place = PLACES["large"]()
    for example in {example.tier: example for example in asked(place)}.values():
        answer = example.truth.answer
        match answer:
            case Number(value=value):
                wrong = Number(value=value + 1.5, unit=answer.unit)
            case _:
                wrong = Choice(value="B" if answer == Choice(value="A") else "A")
        changed = msgspec.structs.replace(example, truth=msgspec.structs.replace(example.truth, answer=wrong))
        with pytest.raises(AssertionError):
            brute.check(changed, place)


def test_what_the_renderer_sees_is_what_appears_in_this_order():
    """In the demo's rooms the moments' shares are pixels: the checked order is that of pictures."""
    place, layout, parts = rendered(0)
    orders = [example for example in asked(place) if example.tier == "obj_appearance_order"]
    assert orders
    for example in orders:
        first_pixels = []
        for label in brute.chosen(example).split(", "):
            ids = [int(each.object_id) for each in place.objects if each.label == label]
            first_pixels.append(next(view for view, hits in enumerate(parts) if np.isin(hits, ids).any()))
        assert first_pixels == sorted(set(first_pixels))
    assert len(layout.parts) == len(place.objects)


def test_right_letters_and_directions_are_balanced():
    found = asked(PLACES["large"](), SpatialOptions())
    for kind in KINDS:
        letters = Counter(each.truth.answer.value for each in found if each.tier == kind and isinstance(each.truth.answer, Choice))
        offered = {len(each.question.form.options) for each in found if each.tier == kind}
        if letters:
            assert set(letters) <= set(LETTERS[: max(offered)])
        if letters and len(offered) == 1 and sum(letters.values()) >= max(offered):
            assert max(letters.values()) - min(letters.values()) <= 1
            assert len(letters) == max(offered)
    for level in ("easy", "medium", "hard"):
        words = Counter(each.evidence["label"] for each in found if each.tier == f"object_rel_direction_{level}")
        assert max(words.values()) - min(words.values()) <= 1


def test_examples_depend_on_nothing_but_scene_and_seed():
    place = PLACES["small"]()
    first, again = asked(place), asked(place)
    assert first == again
    backwards = turned_round(place)
    assert asked(backwards) == first
    others = asked(place, msgspec.structs.replace(FEW, seed=1))
    assert {each.id for each in others} != {each.id for each in first}
    assert len({each.id for each in first}) == len(first)


def turned_round(place):
    """The same scene, its objects listed the other way round."""
    return type(place)(place.scene_id, place.objects[::-1], place.moments, place.floor, place.room_areas_m2)


def test_what_is_dropped_is_told_once_a_reason_with_how_many():
    entries = [
        each
        for each in ask_all(Scene(PLACES["large"](), FEW), footage(PLACES["large"]()), split="t")
        if isinstance(each, LedgerEntry)
    ]
    assert len({(each.unit, each.reason) for each in entries}) == len(entries)
    near = next(each for each in entries if (each.unit, each.reason) == ("room_1/object_rel_direction_hard", "near_a_border"))
    assert int(near.detail.split()[0].replace(",", "")) > 100


def test_wordings_differ_and_the_benchmarks_words_can_be_used():
    place = PLACES["small"]()
    mixed = asked(place, msgspec.structs.replace(FEW, wording="mixed"))
    assert {each.wording for each in mixed} == {0, 1, 2}
    assert [each.truth for each in mixed] == [each.truth for each in asked(place)]
    for example in mixed[::7]:
        brute.check(example, place)
    vsi = asked(place, msgspec.structs.replace(FEW, words="vsi"))[-1]
    assert vsi.question.form.words.startswith("Answer with the option's letter")
    first = vsi.question.prompt[1]
    assert isinstance(first, TextPart)
    assert first.text.startswith("These are frames of a video.\n")
