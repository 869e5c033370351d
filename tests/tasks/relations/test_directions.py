"""Words of direction change sides, whole words only, and verbs stay."""

import pytest

from sightline.tasks.relations.directions import has_direction, mirror_words
from sightline.tasks.relations.words import relation_words


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("the dog on the left", "the dog on the right"),
        ("Left of the man, right behind the tree", "Right of the man, right behind the tree"),
        ("leftmost", "rightmost"),
        ("the RIGHT hand, the left-hand side", "the LEFT hand, the right-hand side"),
        ("which one is left of it", "which one is right of it"),
        ("dog left", "dog right"),
        ("left guy", "right guy"),
        ("moving to the left, then to the right", "moving to the right, then to the left"),
        ("the man's left shoe", "the man's right shoe"),
    ],
)
def test_directions_change_sides(text: str, mirrored: str) -> None:
    assert mirror_words(text) == mirrored
    assert has_direction(text)


@pytest.mark.parametrize(
    "text",
    [
        "a bright light, upright and forthright",
        "the one that left the room",
        "the man who left",
        "the bag left behind by a woman",
        "what is left over",
        "the cyclist left his bike",
        "the cup was left",
        "the right angle, right now, right next to it, all right",
        "cleft, aright",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert mirror_words(text) == text
    assert not has_direction(text)


def test_every_wording_and_definition_is_its_own_mirror_of_a_mirror() -> None:
    words = relation_words()
    values = dict.fromkeys(("a", "b", "reference", "list", "class"), "object A")
    values |= {"side": "left", "other": "right", "rank": "first", "extreme": "leftmost", "options": "left, right or neither"}
    values |= {"where": "in this picture", "time": "at 1.0 seconds"}
    for kind, wordings in words["questions"].items():
        assert len(wordings) == 4, kind
        for wording in wordings:
            sentence = wording.format_map(values)
            assert mirror_words(sentence) == wording.format_map(
                values | {"side": "right", "other": "left", "extreme": "rightmost", "options": "right, left or neither"}
            )
            assert mirror_words(mirror_words(sentence)) == sentence
    for definition in words["definitions"].values():
        assert mirror_words(mirror_words(definition)) == definition
