"""Sweeps as lists of overrides."""

import pytest

pytest.importorskip("hydra", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.config.sweep import expand, swept


def test_every_combination_comes_once_the_last_key_fastest():
    assert expand(["a=1,2", "b=x,y", "c=3"]) == [
        ["a=1", "b=x", "c=3"], ["a=1", "b=y", "c=3"], ["a=2", "b=x", "c=3"], ["a=2", "b=y", "c=3"]
    ]  # fmt: skip


def test_no_sweep_is_one_run_with_the_overrides_as_they_are():
    assert expand(["a=1", "b=[x,y]"]) == [["a=1", "b=[x,y]"]]
    assert expand([]) == [[]]


def test_brackets_braces_and_quotes_hold_commas_together():
    assert expand(["a=[1,2],[3]"]) == [["a=[1,2]"], ["a=[3]"]]
    assert expand(["a={x:1,y:2}", "b='p,q'"]) == [["a={x:1,y:2}", "b='p,q'"]]
    assert [each for [each] in expand(["b='p,q',r"])] == ["b='p,q'", "b=r"]


def test_ranges_and_choices_are_counted_out():
    assert expand(["a=range(1,4)"]) == [["a=1"], ["a=2"], ["a=3"]]
    assert expand(["a=choice(1e-3,1e-4)"]) == [["a=0.001"], ["a=0.0001"]]


def test_a_numbers_spelling_is_kept():
    assert expand(["lr=1e-3,5e-4"]) == [["lr=1e-3"], ["lr=5e-4"]]
    assert expand(["lr=1e-3 , 5e-4"]) == [["lr=1e-3"], ["lr=5e-4"]]


def test_the_keys_that_are_swept_are_known():
    assert swept(["a=1,2", "b=[1,2]", "c.d=x,y"]) == ["a", "c.d"]


@pytest.mark.parametrize("override", ["a", "a=[1", "a=interval(0,1)", "a=glob(*)"])
def test_what_cannot_be_swept_is_refused(override):
    with pytest.raises(InputError, match="a"):
        expand([override])


def test_a_sweep_without_end_is_refused():
    with pytest.raises(InputError, match="10,000 runs"):
        expand(["a=range(0,100)", "b=range(0,100)"])
