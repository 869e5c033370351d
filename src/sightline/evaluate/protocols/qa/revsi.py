"""ReVSI by one rule: `revsi`, lmms_eval/tasks/revsi/utils.py of EvolvingLMMs-Lab/lmms-eval (75571cf).

VSI-Bench annotated again, with kinds of its types: relative direction forward and backward, the closest and the farthest, counts of
one category and of several, one room and several. A text is read as by `vsi-official`, after white space around it is cut off. The
number of a group is the mean over its kinds that are there, the overall number the mean over groups and single types.
"""

from collections.abc import Sequence

from sightline.evaluate.protocols.qa.answered import Answered, Mean, ScriptStops, Tally, by_category, mean_of
from sightline.evaluate.protocols.qa.vsi import official_letter, official_number

GROUPS = {
    "object_rel_direction": (
        "object_rel_direction_forward_easy",
        "object_rel_direction_backward_easy",
        "object_rel_direction_forward_hard",
        "object_rel_direction_backward_hard",
    ),
    "object_rel_distance": ("object_rel_distance_closest", "object_rel_distance_farthest"),
    "object_counting": ("object_counting_single", "object_counting_multiple"),
    "room_size_estimation": ("room_size_estimation_single", "room_size_estimation_multiple"),
}
LETTERS = (*GROUPS["object_rel_direction"], *GROUPS["object_rel_distance"], "route_planning")
NUMBERS = (*GROUPS["object_counting"], *GROUPS["room_size_estimation"], "object_abs_distance", "object_size_estimation")
CATEGORIES = (*LETTERS, *NUMBERS)


def revsi(answers: Sequence[Answered]) -> Tally:
    """Rule `revsi`; an answer to a number whose truth is 0 counts 0, as there."""
    values = [_score(answered) for answered in answers]
    means = {name: mean_of(found) for name, found in by_category(answers, values).items()}
    for group, kinds in GROUPS.items():
        if found := [means.pop(kind) for kind in kinds if kind in means]:
            means[group] = Mean(value=_mean(found), n=sum(each.n for each in found))
    overall = Mean(value=_mean(list(means.values())) if means else None, n=len(values))
    return Tally(metrics={"overall": overall} | means, values=tuple(values))


def _score(answered: Answered) -> float:
    score = official_letter if answered.category in LETTERS else official_number
    try:
        return score(answered.text.strip(), answered.truth)
    except ScriptStops:
        return 0.0


def _mean(means: Sequence[Mean]) -> float:
    return sum(each.value or 0.0 for each in means) / len(means)
