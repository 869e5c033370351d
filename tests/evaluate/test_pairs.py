import math

from sightline.evaluate.pairs import pair_accuracy


def test_a_pair_is_right_if_all_of_it_is():
    asked = [
        ("a", True),
        ("b", True),
        ("a", True),
        ("b", False),
        ("c", False),
        ("c", False),
        ("d", True),
        ("d", True),
        ("d", False),
    ]
    found = pair_accuracy(asked)
    assert (found.value, found.n, found.num_single) == (1 / 4, 4, 0)


def test_an_example_without_a_twin_is_counted_and_is_no_pair():
    found = pair_accuracy([("a", True), ("b", True), ("b", True)])
    assert (found.value, found.n, found.num_single) == (1.0, 1, 1)
    assert math.isnan(pair_accuracy([("a", True)]).value)
