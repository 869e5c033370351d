"""What of a conversation is written by the model."""

from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the models extra")

from sightline.errors import InputError
from sightline.models.roborefer.labels import IGNORED, Tokens, tokenised
from sightline.models.roborefer.text_forms import Turn
from tests.models.roborefer import tiny


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny.tokenizer()


def made(tokenizer: Any, form: str, *said: str) -> Tokens:
    turns = [Turn("assistant" if index % 2 else "user", (text,)) for index, text in enumerate(said)]
    return tokenised(tokenizer, turns, said, form=form, where="sample 'a'")  # pyright: ignore[reportArgumentType]


def written(tokenizer: Any, tokens: Tokens) -> str:
    assert all(label in (IGNORED, token) for token, label in zip(tokens.ids, tokens.labels, strict=True))
    return tokenizer.decode(tokens.labels[tokens.labels != IGNORED])


@pytest.mark.parametrize("form", ["consistent", "training"])
def test_answers_and_their_end_tokens_are_written(tokenizer: Any, form: str) -> None:
    tokens = made(tokenizer, form, "Where?", "[(0.5, 0.5)]", "Sure?", "Yes.")
    assert written(tokenizer, tokens) == "[(0.5, 0.5)]<|im_end|>Yes.<|im_end|>"
    assert tokenizer.decode(tokens.ids) == tokens.text


def test_a_newline_in_an_answer_is_written_by_us_and_mistaken_in_the_original(tokenizer: Any) -> None:
    assert written(tokenizer, made(tokenizer, "consistent", "Where?", "left\nright")) == "left\nright<|im_end|>"
    # its newline is taken for the one after the end token, which is written instead
    assert written(tokenizer, made(tokenizer, "training", "Where?", "left\nright")) == "leftright<|im_end|>\n"


@pytest.mark.parametrize("form", ["consistent", "training"])
def test_an_empty_answer_is_an_end_token(tokenizer: Any, form: str) -> None:
    assert written(tokenizer, made(tokenizer, form, "Where?", "")) == "<|im_end|>"


def test_training_begins_with_exactly_the_tokens_that_are_asked(tokenizer: Any) -> None:
    asked = made(tokenizer, "consistent", "Where?", "Here.", "Where else?")
    trained = made(tokenizer, "consistent", "Where?", "Here.", "Where else?", "There.")
    assert trained.ids[: asked.ids.size].tolist() == asked.ids.tolist()
    # the first answer is part of what is asked, and is written too
    assert written(tokenizer, asked) == "Here.<|im_end|>"


def test_a_question_alone_has_nothing_to_write(tokenizer: Any) -> None:
    for form in ("consistent", "published"):
        assert written(tokenizer, made(tokenizer, form, "Where?")) == ""


def test_a_template_that_changes_answers_is_refused() -> None:
    changed = tiny.tokenizer()
    changed.chat_template = tiny.TEMPLATE.replace("message['content']", "message['content'] | upper")
    with pytest.raises(InputError, match="chat template changes answer 1"):
        made(changed, "consistent", "Where?", "here")
