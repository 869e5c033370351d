"""ScanQA and SQA3D, whose answers are words, by named rules.

    scanqa           score_scanqa.py of diankun-wu/Spatial-MLLM (9fc4738) and eval_scanqa.py of LaVi-Lab/Video-3D-LLM (3ff70e8): the
                     text as it is without final dots, references as they are, no tokenizer; EM of the text with its dots
    scanqa-leo       evaluator/scanqa_eval.py of LEO (567f2d8): both cleaned, no tokenizer; the first truth that matches decides
    scanqa-llava3d   llava/eval/scanqa_evaluator.py of LLaVA-3D (91d979d): both cleaned; n-grams of the words that the PTB tokenizer
                     finds, which is Java
    sqa3d            llava/eval/sqa3d_evaluator.py of LLaVA-3D: EM and refined EM of cleaned texts, also by type

All numbers are shares (0..1), CIDEr is 0..10; papers print a hundred times as much. An answer is one text, references are one or
more. A metric that needs Java where there is none is in `not_run`; what was computed stays.
"""

from collections.abc import Callable, Sequence

from sightline.evaluate.protocols.qa.answered import Answered, Mean, Tally, by_category, mean_of
from sightline.evaluate.protocols.qa.java_metrics import NotRun, meteor, spice, treebank
from sightline.evaluate.protocols.qa.ngrams import bleu, cider, rouge_l
from sightline.evaluate.protocols.qa.wording import clean_answer, matches, matches_in_order

JAVA: dict[str, Callable[[Sequence[str], Sequence[Sequence[str]]], float]] = {"meteor": meteor, "spice": spice}


def scanqa(answers: Sequence[Answered]) -> Tally:
    """Rule `scanqa`: EM, BLEU, ROUGE-L, CIDEr, METEOR; `values` are the exact matches."""
    exact = [float(answered.text in answered.accepted) for answered in answers]
    metrics, not_run = _ngram_metrics(
        [answered.text.rstrip(".") for answered in answers], [answered.accepted for answered in answers], java=("meteor",)
    )
    return Tally(metrics={"em": mean_of(exact)} | metrics, values=tuple(exact), not_run=not_run)


def scanqa_leo(answers: Sequence[Answered]) -> Tally:
    """Rule `scanqa-leo`."""
    texts, truths = _cleaned(answers)
    pairs = [matches_in_order(text, accepted) for text, accepted in zip(texts, truths, strict=True)]
    metrics, not_run = _ngram_metrics(texts, truths, java=("meteor",))
    return _with_matches(pairs, metrics, not_run)


def scanqa_llava3d(answers: Sequence[Answered]) -> Tally:
    """Rule `scanqa-llava3d`; without Java only EM and refined EM."""
    texts, truths = _cleaned(answers)
    pairs = [matches(text, accepted) for text, accepted in zip(texts, truths, strict=True)]
    names = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", *JAVA)
    try:
        words = [found[0] for found in treebank([[text] for text in texts])]
        references = treebank([[truth.replace("\n", " ").strip() for truth in accepted] for accepted in truths])
    except NotRun as error:
        return _with_matches(pairs, {}, dict.fromkeys(names, str(error)))
    metrics, not_run = _ngram_metrics(words, references, java=tuple(JAVA))
    return _with_matches(pairs, metrics, not_run)


def sqa3d(answers: Sequence[Answered]) -> Tally:
    """Rule `sqa3d`: EM@1, EM-R1, and both by type; an answer that is empty after cleaning is right by EM-R1, and is counted."""
    texts, truths = _cleaned(answers)
    pairs = [matches(text, accepted) for text, accepted in zip(texts, truths, strict=True)]
    tally = _with_matches(pairs, {}, {})
    by_type: dict[str, Mean] = {}
    for place, name in enumerate(("em", "em_refined")):
        values = [float(pair[place]) for pair in pairs]
        by_type |= {f"{name} {kind}": mean_of(found) for kind, found in by_category(answers, values).items()}
    empty = sum(not text.strip() for text in texts)
    return Tally(metrics=tally.metrics | by_type, values=tally.values, counts={"num_empty": empty})


def _cleaned(answers: Sequence[Answered]) -> tuple[list[str], list[list[str]]]:
    return [clean_answer(answered.text) for answered in answers], [
        [clean_answer(truth) for truth in answered.accepted] for answered in answers
    ]


def _with_matches(pairs: Sequence[tuple[bool, bool]], metrics: dict[str, Mean], not_run: dict[str, str]) -> Tally:
    exact, refined = ([float(pair[place]) for pair in pairs] for place in (0, 1))
    return Tally(metrics={"em": mean_of(exact), "em_refined": mean_of(refined)} | metrics, values=tuple(exact), not_run=not_run)


def _ngram_metrics(
    texts: Sequence[str], truths: Sequence[Sequence[str]], *, java: Sequence[str]
) -> tuple[dict[str, Mean], dict[str, str]]:
    n = len(texts)
    if not n:
        return {}, {}
    found: dict[str, float] = dict(zip(("bleu_1", "bleu_2", "bleu_3", "bleu_4"), bleu(texts, truths), strict=True))
    found["rouge_l"] = sum(rouge_l(text, accepted) for text, accepted in zip(texts, truths, strict=True)) / n
    found["cider"] = sum(cider(texts, truths)) / n
    not_run: dict[str, str] = {}
    for name in java:
        try:
            found[name] = JAVA[name](texts, truths)
        except NotRun as error:
            not_run[name] = str(error)
    return {name: Mean(value=value, n=n) for name, value in found.items()}, not_run
