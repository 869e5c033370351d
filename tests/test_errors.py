"""What an unknown name is answered with."""

from sightline.errors import unknown_name


def test_the_nearest_name_and_all_are_given() -> None:
    assert str(unknown_name("reader", "mevsi", ["davis", "mevis"])) == (
        "no reader is called 'mevsi'. Did you mean 'mevis'? Choices: davis, mevis."
    )


def test_a_name_that_is_like_none_gets_no_guess() -> None:
    assert str(unknown_name("reader", "q", ["davis", "mevis"])) == "no reader is called 'q'. Choices: davis, mevis."
