"""Prompt parts become words and media slots in their order."""

import pytest

from sightline.dialects import Size, get_dialect
from sightline.dialects.render import render_prompt
from sightline.errors import InputError
from sightline.types import AnswerForm, BoxPart, ImagePart, PointPart, TextPart

PICTURES = (Size(200, 100), Size(640, 480))
FORM = AnswerForm(shape="point", image_index=1, offers_not_visible=True)


def test_texts_join_and_media_slots_stay_where_they_are():
    dialect = get_dialect("roborefer")
    prompt = (
        ImagePart(image_index=0),
        TextPart(text="The object at "),
        PointPart(x=50.0, y=25.0, image_index=0),
        TextPart(text=" in"),
        BoxPart(box=(0.0, 0.0, 100.0, 100.0), image_index=0),
        ImagePart(image_index=1),
        TextPart(text="Find it."),
        FORM,
        TextPart(text="Be brief."),
        TextPart(text=" Now."),
    )
    assert render_prompt(prompt, dialect, PICTURES) == (
        ImagePart(image_index=0),
        "The object at (0.250, 0.250) in(0.000, 0.000, 0.500, 1.000)",
        ImagePart(image_index=1),
        f"Find it. {dialect.instruction(FORM)} Be brief. Now.",
    )


def test_an_instruction_takes_the_white_space_that_is_there():
    dialect = get_dialect("qwen3")
    assert render_prompt((TextPart(text="Find it.\n"), FORM), dialect, PICTURES) == (f"Find it.\n{dialect.instruction(FORM)}",)


@pytest.mark.parametrize(
    "part", [ImagePart(image_index=2), PointPart(x=1.0, y=1.0, image_index=2), AnswerForm(shape="box", image_index=-1)]
)
def test_a_part_that_names_a_missing_picture_is_refused(part):
    with pytest.raises(InputError, match=r"names picture (2|-1), but the question has 2"):
        render_prompt((part,), get_dialect("qwen3"), PICTURES)
