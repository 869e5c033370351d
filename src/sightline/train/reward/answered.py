"""Drawn answers as batches of training: the tokens of the question as it is rendered for training, then those that were drawn.

The question must be the same tokens in training and when the model is asked; a template that writes it otherwise is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from sightline.errors import InputError
from sightline.train.reward.prompts import Prompt
from sightline.train.reward.sampling import Drawn
from sightline.train.vlm.chat import Chat
from sightline.train.vlm.collate import Batch, Collator
from sightline.train.vlm.labels import IGNORED, Labelled
from sightline.train.vlm.samples import Sample


@dataclass(frozen=True, kw_only=True)
class AnsweredSample(Sample):
    """A question with tokens that were drawn as its answer."""

    labelled: Labelled


@dataclass(frozen=True)
class AnsweredChat(Chat):
    """A chat in which answers are given as tokens."""

    def label(self, sample: Sample) -> Labelled:
        """A sample as tokens; raises as `Chat.label`."""
        return sample.labelled if isinstance(sample, AnsweredSample) else super().label(sample)


def answering(chat: Chat) -> AnsweredChat:
    """The same chat for questions with drawn answers."""
    return AnsweredChat(**{each.name: getattr(chat, each.name) for each in fields(chat)})


def asked_tokens(chat: Chat, prompt: Prompt) -> Labelled:
    """The question alone, with nothing to be learnt."""
    whole = chat.label(prompt.sample)
    length = int(np.flatnonzero(whole.labels != IGNORED)[0])
    return Labelled(whole.ids[:length], whole.labels[:length], whole.slots)


def batch_of(collator: Collator, prompts: Sequence[Prompt], groups: Sequence[Sequence[Drawn]]) -> Batch:
    """One row an answer, group after group; what is to be learnt is the answer.

    Raises:
        FileNotFoundError, InputError: a picture cannot be read, or the question has other tokens than the model was asked with.
    """
    rows: list[list[AnsweredSample]] = []
    for prompt, group in zip(prompts, groups, strict=True):
        question = asked_tokens(collator.chat, prompt)
        for drawn in group:
            if question.ids.tolist() != list(drawn.asked):
                raise InputError(
                    f"{prompt.taskset.path}, example {prompt.example.id!r}: training renders the question as {question.ids.size} "
                    f"tokens, the model is asked with {len(drawn.asked)}, or others. Its chat template writes a question otherwise "
                    "once there is an answer: use another chat template."
                )
            rows.append([_answered(prompt.sample, question, drawn)])
    return collator(rows)


def _answered(sample: Sample, question: Labelled, drawn: Drawn) -> AnsweredSample:
    tokens = np.array(drawn.tokens, np.int64)
    labels = np.full(question.ids.size, IGNORED, np.int64)
    labelled = Labelled(np.concatenate([question.ids, tokens]), np.concatenate([labels, tokens]), question.slots)
    return AnsweredSample(**{each.name: getattr(sample, each.name) for each in fields(sample)}, labelled=labelled)
