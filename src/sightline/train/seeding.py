"""Random numbers that follow from a seed and a batch's number, whatever was drawn before."""

import random

import numpy as np
import torch


def seed_for(seed: int, number: int, rank: int) -> int:
    """63 well-mixed bits of the run's seed, a batch's number and a process's rank."""
    high, low = np.random.SeedSequence((seed, number, rank)).generate_state(2)
    return (int(high) << 32 | int(low)) >> 1


def seed_batch(seed: int, number: int, rank: int) -> None:
    """Start torch's (all devices), numpy's and Python's global random numbers anew for one batch."""
    mixed = seed_for(seed, number, rank)
    torch.manual_seed(mixed)
    np.random.seed(mixed % 2**32)
    random.seed(mixed)
