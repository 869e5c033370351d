"""What `--model SPEC` means to the commands that ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sightline.errors import InputError
from sightline.evaluate.answered_boxes import box_masks, is_box_masks
from sightline.export.imported import imported_answers, is_imported
from sightline.models import Model, ModelOptions, get_model
from sightline.taskset.store import TaskSet


@dataclass(frozen=True)
class Chosen:
    """A model that a user named: `answering` gives it for a task set, or raises NotApplicable."""

    name: str
    spec: str
    answering: Callable[[TaskSet], Model]


def choose(spec: str, options: ModelOptions) -> Chosen:
    """What `--model SPEC` means: a model of `models.get_model`, recorded answers (`import:PATH`), or masks of the boxes that
    another run has (`boxes:RUN#CHECKPOINT`).

    Raises:
        FileNotFoundError, InputError: no such model.
    """
    if is_imported(spec):
        answers = imported_answers(spec, options)
        return Chosen(answers.name, spec, answers.answers_to)
    if is_box_masks(spec):
        name, answering = box_masks(spec, options)
        return Chosen(name, spec, answering)
    model = get_model(spec, options)
    return Chosen(model.name, spec, lambda _: model)


def choose_all(specs: Sequence[str], options: ModelOptions) -> list[Chosen]:
    """Each model once, in the order given.

    Raises:
        FileNotFoundError, InputError: no such model, or two of one name, whose runs would lie in one folder.
    """
    chosen: dict[str, Chosen] = {}
    for spec in dict.fromkeys(specs):
        one = choose(spec, options)
        if one.name in chosen:
            raise InputError(
                f"--model {chosen[one.name].spec!r} and --model {spec!r} are both called {one.name!r}. Name one of them: "
                f"--model NAME={spec.partition('=')[2] if '=' in spec.partition(':')[0] else spec}"
            )
        chosen[one.name] = one
    return list(chosen.values())
