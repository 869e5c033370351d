"""RoboRefer's answers: eight questions at a time against one at a time, as the original server asks; CPU time, one thread.

The tiny model of the tests with random weights (28 pixels a tile), the same 16 questions about pictures of 64 x 48, and 32 new
tokens for each, in the image modes resize and dynamic. Both ways must give the same answers. Asked for: at least 4 times the loop.
The loop gets its questions prepared one by one, the batches eight by eight; both are timed with their preparation.
"""

import os
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NUM_QUESTIONS, TOGETHER, NEW_TOKENS, REPEATS = 16, 8, 32, 3


def main() -> None:
    if missing := [package for package in ("torch", "transformers") if find_spec(package) is None]:
        print(f"needs {' and '.join(missing)}: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for mode in ("resize", "dynamic"):
            _compare(mode)
    finally:
        torch.set_num_threads(before)


def _compare(mode: str) -> None:
    from tests.models.roborefer import tiny  # noqa: PLC0415

    from sightline.models.roborefer.generation import greedy  # noqa: PLC0415
    from sightline.models.roborefer.inputs import RoboReferInputs, asked_in_front  # noqa: PLC0415
    from sightline.models.roborefer.inputs import RoboReferSample as Sample  # noqa: PLC0415
    from sightline.models.roborefer.opening import open_roborefer  # noqa: PLC0415
    from sightline.models.roborefer.weights import load_roborefer, write_published  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        write_published(tiny.model(tiny.config()), place / "tiny", tokenizer_from=tiny.tokenizer_folder(place / "tokenizer"))
        folder = open_roborefer(place / "tiny", image_mode=mode)
        model: Any = load_roborefer(folder)
    words: Any = folder.config.text_config
    model.generation_config.eos_token_id = words.vocab_size  # no answer ends early: equal work on both sides
    inputs = RoboReferInputs(folder.config, folder.tokenizer)
    questions = []
    for index in range(NUM_QUESTIONS):
        pictures = (tiny.picture(64, 48, seed=index),)
        questions.append(Sample(str(index), asked_in_front(f"Point at object {index}.", pictures), pictures))

    def answers(size: int) -> list[list[int]]:
        found: list[list[int]] = []
        for start in range(0, NUM_QUESTIONS, size):
            batch = inputs.batch(questions[start : start + size], padding="left")
            found += greedy(model, batch, max_new_tokens=NEW_TOKENS)
        return found

    assert answers(1) == answers(TOGETHER), "a batch says what each says alone"
    alone, together = (min(_cpu_s(lambda size=size: answers(size)) for _ in range(REPEATS)) for size in (1, TOGETHER))
    tokens = NUM_QUESTIONS * NEW_TOKENS
    print(f"{mode}: one at a time {alone:.2f} s ({tokens / alone:,.0f} tokens/s), {TOGETHER} at a time {together:.2f} s "
          f"({tokens / together:,.0f} tokens/s): {alone / together:.1f} times; load {os.getloadavg()[0]:.1f}")  # fmt: skip


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
