"""Mean relative accuracy (MRA) of numbers, as VSI-Bench defines it.

The share of ten tolerances within which the answer lies: |answer - truth| / truth <= 1 - t for t in 0.50, 0.55, ..., 0.95. The ten
are fixed here; the published code derives their number by a division whose floating-point result is just below eleven. They are
doubles, and that shows: 4 for 5 is not within 1 - 0.8, because 1 - 0.8 is 0.19999999999999996.
"""

import numpy as np

TOLERANCES = tuple(float(1 - at) for at in np.linspace(0.5, 0.95, 10))
SINGLE_TOLERANCES = np.float32(1) - np.array([0.5 + 0.05 * step for step in range(10)], dtype=np.float32)


def relative_accuracy(error: float) -> float:
    """The share (0..1) of the ten tolerances that a relative error does not exceed; 0 of nan."""
    return sum(error <= tolerance for tolerance in TOLERANCES) / len(TOLERANCES)


def single_relative_accuracy(answer: float, truth: float) -> float:
    """The same in single precision, with errors strictly below the tolerance and |truth| + 1e-8 as the divisor."""
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = np.float32(answer), np.float32(truth)
        error = np.abs(first - second) / (np.abs(second) + np.float32(1e-8))
    return float(np.mean(error < SINGLE_TOLERANCES, dtype=np.float32))
