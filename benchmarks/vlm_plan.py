"""Planning ten million samples from cached token counts, and the same beside a plain loop on fewer; CPU time of one thread.

The lengths are synthetic: log-normal, mean 832 tokens, packed into rows of 8,192. The plain way is a Python loop that puts each
sample of a shuffled order into the first pack with room for it, a window at a time as ours does; both plan the same samples in one
run. The large plan is made in a process of its own, whose peak memory is that of plan, counts and Python together.
"""

import json
import random
import resource
import subprocess
import sys
import time

import numpy as np

from sightline.train.vlm.admission import Table
from sightline.train.vlm.batching import Batching, Mode
from sightline.train.vlm.packing import WINDOW
from sightline.train.vlm.plan import Part, Plan, Stage, make_plan

LARGE, SMALL, CAPACITY, ROWS_PER_STEP = 10_000_000, 100_000, 8192, 16
MEAN, SIGMA = 832, 0.5


def synthetic_lengths(count: int) -> np.ndarray:
    draws = np.random.default_rng(0).lognormal(np.log(MEAN) - SIGMA**2 / 2, SIGMA, count)
    return draws.clip(1, CAPACITY).astype(np.int32)


def plan_of(lengths: np.ndarray, mode: Mode = "packed") -> Plan:
    table = Table("synthetic", lengths, "synthetic", str)
    batching = Batching(mode=mode, tokens_per_sample=CAPACITY, rows_per_step=ROWS_PER_STEP)
    return make_plan([table], [Stage("all", (Part(0, np.arange(lengths.size)),))], batching=batching, seed=1)


def first_fit(lengths: list[int]) -> list[list[int]]:
    """The plain way."""
    order = list(range(len(lengths)))
    random.Random(1).shuffle(order)
    rows: list[list[int]] = []
    for start in range(0, len(order), WINDOW):
        packs: list[list[int]] = []
        rooms: list[int] = []
        for sample in order[start : start + WINDOW]:
            for pack, room in enumerate(rooms):
                if room >= lengths[sample]:
                    packs[pack].append(sample)
                    rooms[pack] -= lengths[sample]
                    break
            else:
                packs.append([sample])
                rooms.append(CAPACITY - lengths[sample])
        rows += packs
    return rows


def large() -> None:
    """In a process of its own: plan, and print what it took as JSON."""
    plan_of(synthetic_lengths(2 * WINDOW))  # compiles
    lengths = synthetic_lengths(LARGE)
    wall, cpu = time.perf_counter(), time.process_time()
    plan = plan_of(lengths)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"wall": wall, "cpu": cpu, "peak_gb": peak_gb, "fill": plan.fill(), "steps": plan.num_steps}))


def main() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.vlm_plan", "large"], check=True, capture_output=True, text=True
    ).stdout
    took = json.loads(printed)
    print(
        f"{LARGE:,} samples, {took['steps']:,} steps: {took['cpu']:.1f} s of CPU time ({took['wall']:.1f} s by the clock), peak "
        f"{took['peak_gb']:.2f} GB, fill {100 * took['fill']:.2f} %"
    )
    lengths = synthetic_lengths(SMALL)
    plan_of(lengths)  # compiles
    ours_s = time.process_time()
    plan = plan_of(lengths)
    ours_s = time.process_time() - ours_s
    as_list = lengths.tolist()
    plain_s = time.process_time()
    rows = first_fit(as_list)
    plain_s = time.process_time() - plain_s
    plain_fill = sum(as_list) / (len(rows) * CAPACITY)
    print(
        f"{SMALL:,} samples: {ours_s:.3f} s, fill {100 * plan.fill():.2f} %; plain first fit {plain_s:.2f} s "
        f"({plain_s / ours_s:.0f}x), fill {100 * plain_fill:.2f} %"
    )
    for mode in ("padded", "grouped"):
        print(f"{SMALL:,} samples, {mode}: fill {100 * plan_of(lengths, mode).fill():.2f} %")


if __name__ == "__main__":
    large() if sys.argv[1:] == ["large"] else main()
