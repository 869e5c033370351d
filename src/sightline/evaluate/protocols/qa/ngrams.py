"""BLEU-1 to 4, ROUGE-L and CIDEr of short texts against several references, as the COCO caption code counts them.

Sources: Papineni et al. 2002, Lin 2004, Vedantam et al. 2015, in the form of salaniz/pycocoevalcap (ad63453), whose numbers these
are. What that form settles:

- Words are what white space separates; ROUGE-L splits at each single blank, so two blanks make an empty word.
- BLEU is of the whole corpus, its reference length the nearest one of each text (the shorter of two equally near). Counts are
  padded by 1e-15 and 1e-9, so that nothing is 0/0; a corpus without any 4-gram has BLEU-4 near 0, not "undefined".
- ROUGE-L takes the best precision and the best recall, also of different references; beta 1.2.
- CIDEr here is CIDEr-D without stemming: counts clipped, a Gaussian penalty (sigma 6) on the difference in bigrams, times 10. Its
  document frequencies are those of the references at hand, so the number depends on which questions are scored together; of one
  question alone it is 0.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ORDER = 4
TINY, SMALL = 1e-15, 1e-9
BETA, SIGMA = 1.2, 6.0
Ngram = tuple[str, ...]


@dataclass(frozen=True)
class _Weighted:
    """A text's n-grams with their tf-idf weights, by n; the norms, and the number of bigrams."""

    weights: tuple[dict[Ngram, float], ...]
    norms: tuple[float, ...]
    num_bigrams: int


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, float, float, float]:
    """BLEU-1 to 4 (0..1) of the corpus; `references[i]` are one or more texts for `texts[i]`. At least one text."""
    guessed, right, length, wanted = [0] * ORDER, [0] * ORDER, 0, 0
    for text, accepted in zip(texts, references, strict=True):
        size = len(text.split())
        best: Counter[Ngram] = Counter()
        for reference in accepted:
            best |= _ngrams(reference)
        for ngram, count in _ngrams(text).items():
            right[len(ngram) - 1] += min(count, best[ngram])
        for order in range(ORDER):
            guessed[order] += max(0, size - order)
        length += size
        wanted += min((abs(len(reference.split()) - size), len(reference.split())) for reference in accepted)[1]
    ratio = (length + TINY) / (wanted + SMALL)
    penalty = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    product, scores = 1.0, []
    for order in range(ORDER):
        product *= (right[order] + TINY) / (guessed[order] + SMALL)
        scores.append(product ** (1 / (order + 1)) * penalty)
    return scores[0], scores[1], scores[2], scores[3]


def rouge_l(text: str, references: Sequence[str]) -> float:
    """ROUGE-L (0..1) of one text."""
    words = text.split(" ")
    common = [(_longest_common(words, reference.split(" ")), len(reference.split(" "))) for reference in references]
    precision = max(length for length, _ in common) / len(words)
    recall = max(length / size for length, size in common)
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def cider(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr (0..10) of each text of the corpus; its mean is the published number."""
    frequency: Counter[Ngram] = Counter()
    for accepted in references:
        frequency.update({ngram for reference in accepted for ngram in _ngrams(reference)})
    log_size = math.log(len(texts)) if texts else 0.0
    scores = []
    for text, accepted in zip(texts, references, strict=True):
        answer = _weighted(text, frequency, log_size)
        total = sum(_similarity(answer, _weighted(reference, frequency, log_size)) for reference in accepted)
        scores.append(10 * total / ORDER / len(accepted))
    return scores


def _ngrams(text: str) -> Counter[Ngram]:
    words = text.split()
    return Counter(tuple(words[start : start + size]) for size in range(1, ORDER + 1) for start in range(len(words) - size + 1))


def _longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for place, found in enumerate(other, start=1):
            before, row[place] = row[place], before + 1 if word == found else max(row[place], row[place - 1])
    return row[-1]


def _weighted(text: str, frequency: Counter[Ngram], log_size: float) -> _Weighted:
    weights: tuple[dict[Ngram, float], ...] = tuple({} for _ in range(ORDER))
    num_bigrams = 0
    for ngram, count in _ngrams(text).items():
        weights[len(ngram) - 1][ngram] = count * (log_size - math.log(max(1, frequency[ngram])))
        num_bigrams += count if len(ngram) == 2 else 0
    return _Weighted(weights, tuple(math.sqrt(sum(value**2 for value in each.values())) for each in weights), num_bigrams)


def _similarity(answer: _Weighted, reference: _Weighted) -> float:
    penalty = math.exp(-((answer.num_bigrams - reference.num_bigrams) ** 2) / (2 * SIGMA**2))
    total = 0.0
    for mine, theirs, norm, other_norm in zip(answer.weights, reference.weights, answer.norms, reference.norms, strict=True):
        product = sum(min(value, theirs.get(ngram, 0.0)) * theirs.get(ngram, 0.0) for ngram, value in mine.items())
        total += product / (norm * other_norm) if norm and other_norm else product
    return total * penalty
