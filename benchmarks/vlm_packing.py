"""Training steps of a small Qwen3-VL on the CPU, three times two ways: packs and padding, pictures once and for each use, the head
on supervised tokens and on all.

The model has random weights; its vision tower, language model and head share the work about as they do in a model of 3 billion
parameters (`shares` are measured and printed). Each comparison runs forward and backward over the same samples, in turns, one
thread, and checks that both ways give the same loss. Useful tokens a second are tokens that are no padding by CPU time, the
lesser of the turns.

The mixture: examples of procedural rooms (two pictures, two beside each other, what is missing, what has changed), sentences about
one picture with a point as answer, and made-up conversations of one to five turns about one picture or none with answers of
log-normal length. The last two stand for referring and question data and are synthetic.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.scale import in_a_process, peak_kb
from sightline.demo.rooms import write_rooms
from sightline.models.options import ModelOptions
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.train.vlm.batching import Batching, Mode
from sightline.train.vlm.chat import Chat, open_chat
from sightline.train.vlm.curriculum import Mixed, StageMixture, Training, plan_training
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.lengths import token_counts
from sightline.train.vlm.samples import Source
from sightline.train.vlm.taskset_source import TaskSetSource

if TYPE_CHECKING:
    from sightline.train.vlm.collate import Batch

CAPACITY, ROWS_PADDED, TURNS = 2048, 8, 2
CAPACITY_PAIRS, PAIRS, PACKS = 8192, 24, 3
SAMPLES, WORDS = 16, ("the", "left", "chair", "stands", "behind", "a", "table", "near", "two", "boxes", "and", "blue", "lamp")
WIDTH, VOCABULARY = 128, 8_192


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chat, model = tiny(folder / "model")
        write_rooms(folder / "rooms", num_train=0, num_validation=2, seed=3)
        mixed = [*task_sets(folder, chat), *conversations(folder)]
        heads(model, chat, mixed, folder / "counts")  # first, for its memory: later steps would fill what earlier ones have left
        packing(model, chat, mixed, folder / "counts")
        large = open_chat(folder / "model", ModelOptions(min_pixels=140 * 32 * 32, max_pixels=160 * 32 * 32))
        pairs = [TaskSetSource(one, large.dialect) for one in built(folder, ("t1_multi",), "all")]
        sharing(model, large, pairs, folder / "counts")


def tiny(folder: Path) -> tuple[Chat, Any]:
    """A Qwen3-VL of about three million parameters with a genuine processor and tokenizer."""
    import torch  # noqa: PLC0415 - an extra
    import transformers  # noqa: PLC0415
    from tests.models.huggingface.checkpoints import save_qwen3  # noqa: PLC0415

    torch.set_num_threads(1)
    config: Any = transformers.AutoConfig.from_pretrained(save_qwen3(folder))
    for key, value in {"hidden_size": WIDTH, "intermediate_size": 352, "num_hidden_layers": 3, "vocab_size": VOCABULARY}.items():
        setattr(config.text_config, key, value)
    config.text_config.head_dim = WIDTH // 4
    config.text_config.rope_parameters = {**config.text_config.rope_parameters, "mrope_section": [6, 5, 5]}
    for key, value in {"hidden_size": 64, "intermediate_size": 256, "depth": 3, "num_heads": 2, "out_hidden_size": WIDTH}.items():
        setattr(config.vision_config, key, value)
    config.vision_config.deepstack_visual_indexes = [1]
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForImageTextToText.from_config(config)
    count = {
        part: sum(p.numel() for n, p in model.named_parameters() if part in n) for part in ("visual", "language_model", "head")
    }
    print(f"parameters: {', '.join(f'{part} {number / 1e6:.1f} M' for part, number in count.items())}")
    return open_chat(folder, ModelOptions(max_pixels=80 * 32 * 32)), model


def built(folder: Path, tasks: tuple[str, ...], pairs: Any) -> list[TaskSet]:
    request = BuildRequest(
        reader="x3",
        root=str(folder / "rooms"),
        splits=("validation",),
        tasks=tasks,
        options=CrossViewOptions(pairs=pairs),
    )
    return [TaskSet(Path(one.path)) for one in build(request, folder / f"sets-{pairs}")]


def task_sets(folder: Path, chat: Chat) -> list[Source]:
    return [TaskSetSource(one, chat.dialect) for one in built(folder, ("t1_multi", "t1_concat", "t2a", "t2b"), "anchor")]


def conversations(folder: Path) -> list[Source]:
    """Two files of made-up conversations about pictures of the rooms."""
    rng = np.random.default_rng(0)
    pictures = sorted(path.relative_to(folder).as_posix() for path in (folder / "rooms").rglob("*.png") if "mask" not in path.name)

    def said(count: int) -> str:
        return " ".join(rng.choice(WORDS, max(count, 1)))

    def record(number: int, turns: int, *, mean_words: float, shown: bool) -> dict[str, Any]:
        words = rng.lognormal(np.log(mean_words), 0.8, turns).astype(int)
        talk = [one for count in words for one in ({"from": "human", "value": said(8)}, {"from": "gpt", "value": said(count)})]
        talk[0]["value"] = "<image>" * shown + talk[0]["value"]
        return {"id": str(number), "conversations": talk} | ({"image": str(rng.choice(pictures))} if shown else {})

    def point(number: int) -> dict[str, Any]:
        row = record(number, 1, mean_words=1, shown=True)
        x, y = rng.integers(0, 1000, 2).tolist()
        row["conversations"][1]["value"] = json.dumps([{"point_2d": [x, y], "label": "target"}])
        return row

    answers = [record(number, int(rng.integers(1, 6)), mean_words=25, shown=bool(rng.random() < 0.6)) for number in range(SAMPLES)]
    files = {"referring": [point(number) for number in range(SAMPLES)], "questions": answers}
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return [JsonSource(folder / f"{name}.json", media_root=folder, name=name) for name in files]


def planned(chat: Chat, sources: Sequence[Source], cache: Path, *, mode: Mode, rows: int) -> Training:
    """One epoch of all sources, each with the same number of samples at most."""
    counts = [token_counts(source, chat, cache=cache) for source in sources]
    mixture = tuple(Mixed(source.name, weight=min(1.0, SAMPLES / len(source))) for source in sources)
    batching = Batching(mode=mode, tokens_per_sample=CAPACITY, rows_per_step=rows)
    return plan_training(sources, counts, stages=[StageMixture("all", mixture, epochs=1)], batching=batching)


def collated(training: Training, chat: Chat, model: Any, *, shared: bool, rows: list[list[int]]) -> "Batch":
    from sightline.train.vlm.collate import Collator  # noqa: PLC0415

    return Collator(chat, model.config, shared=shared)([[training.sample(number) for number in row] for row in rows])


def step(model: Any, batch: "Batch", isolation: Any, *, whole_head: bool = False) -> float:
    """Forward and backward; the summed loss."""
    from sightline.train.vlm.loss import Norm, batch_loss  # noqa: PLC0415

    model.zero_grad(set_to_none=True)
    loss = batch_loss(model, batch, norm=Norm("token", 1), isolation=isolation, whole_head=whole_head)
    loss.backward()
    return loss.item()


Way = tuple[str, list["Batch"], Any, bool]
"""What it is called, its batches, how samples are kept apart, and whether the head sees all tokens."""


def compare(model: Any, first: Way, second: Way) -> tuple[float, float]:
    """Run two ways in turns and print them; the losses must agree. CPU seconds of each, the lesser of the turns."""
    from sightline.train.vlm.pack import isolate  # noqa: PLC0415

    seconds: dict[str, list[float]] = {first[0]: [], second[0]: []}
    losses: dict[str, float] = {}
    for _, batches, isolation, whole_head in (first, second):  # warms up
        isolate(model, isolation)
        step(model, batches[0], isolation, whole_head=whole_head)
    for _ in range(TURNS):
        for name, batches, isolation, whole_head in (first, second):
            isolate(model, isolation)
            start = time.process_time()
            losses[name] = sum(step(model, batch, isolation, whole_head=whole_head) for batch in batches)
            seconds[name].append(time.process_time() - start)
    one, two = losses.values()
    if not np.isclose(one, two, rtol=1e-5):
        raise SystemExit(f"the losses differ: {losses}")
    taken = [min(some) for some in seconds.values()]
    for (name, some, _, _), took in zip((first, second), taken, strict=True):
        useful = sum(sum(batch.num_tokens) for batch in some)
        room = sum(batch.input_ids.numel() for batch in some)
        rate = f"{useful / took:8,.0f} useful tokens/s of CPU time"
        print(f"  {name:24} {rate}, {took:5.1f} s, padding {100 * (1 - useful / room):5.2f} %")
    print(f"  loss {one:.3f} and {two:.3f}; {taken[1] / taken[0]:.2f} times as fast", flush=True)
    return taken[0], taken[1]


def packing(model: Any, chat: Chat, sources: Sequence[Source], cache: Path) -> None:
    """The same samples, those of the first packed steps, in packs and in random padded batches."""
    training = planned(chat, sources, cache, mode="packed", rows=1)
    rows = [training.plan.rows(number)[0].tolist() for number in range(training.plan.num_steps - 1)]
    chosen = [number for row in rows for number in row]
    lengths = [int(training.counts[t].tokens[p]) for t, p in map(training.plan.locate, chosen)]
    print(f"mixture of {', '.join(source.name for source in sources)}: {len(chosen)} samples, {sum(lengths):,} tokens")
    histogram(lengths)
    order = np.random.default_rng(0).permutation(chosen).tolist()
    padded = [[[number] for number in order[start : start + ROWS_PADDED]] for start in range(0, len(order), ROWS_PADDED)]
    packs = [collated(training, chat, model, shared=False, rows=[row]) for row in rows]
    single = [collated(training, chat, model, shared=False, rows=group) for group in padded]
    packed: Way = (f"packs of {CAPACITY:,}", packs, "segments", False)
    compare(model, packed, (f"padded, {ROWS_PADDED} at random", single, "none", False))
    print(f"  the whole plan fills {100 * training.plan.fill():.2f} % of its packs")
    parts(model, packs)


def parts(model: Any, packs: Sequence["Batch"]) -> None:
    """How the forward pass divides."""
    import torch  # noqa: PLC0415

    from sightline.train.vlm.loss import hidden_states  # noqa: PLC0415
    from sightline.train.vlm.pack import isolate  # noqa: PLC0415
    from sightline.train.vlm.shared_images import encode_pictures  # noqa: PLC0415

    isolate(model, "segments")
    with torch.no_grad():
        vision = took(lambda: [encode_pictures(model, batch.pictures) for batch in packs])
        both = took(lambda: [hidden_states(model, batch, "segments") for batch in packs])
        head = took(lambda: [model.lm_head(torch.zeros(1, batch.input_ids.shape[1], WIDTH)) for batch in packs])
    print(f"  shares of a forward pass with the whole head: vision {vision / (both + head):.0%}, head {head / (both + head):.0%}")


def sharing(model: Any, chat: Chat, sources: Sequence[Source], cache: Path) -> None:
    """All pairs of views of a room, the examples about an object after each other; and how many pictures shuffled packs share."""
    training = planned(chat, sources, cache, mode="packed", rows=1)
    tokens, source = training.counts[0].tokens, sources[0]
    together = sorted(range(len(source)), key=lambda position: source[position].id)
    shuffled = [int(number) for number in np.random.default_rng(0).permutation(len(source))]
    for what, order in (("shuffled", shuffled), ("an object's examples together", together)):
        rows = cut(order[:PAIRS], tokens)
        shared, repeated = ([collated(training, chat, model, shared=way, rows=[row]) for row in rows] for way in (True, False))
        distinct, uses = (sum(len(batch.pictures.tiles) for batch in some) for some in (shared, repeated))
        print(
            f"all pairs of views, {what}: {PAIRS} samples, {uses} uses of {distinct} pictures distinct in their packs", flush=True
        )
    compare(model, ("each picture once", shared, "segments", False), ("each use", repeated, "segments", False))


def cut(order: list[int], tokens: np.ndarray) -> list[list[int]]:
    """Samples in this order into rows."""
    rows: list[list[int]] = [[]]
    room = CAPACITY_PAIRS
    for number in order:
        if tokens[number] > room:
            rows.append([])
            room = CAPACITY_PAIRS
        rows[-1].append(number)
        room -= int(tokens[number])
    return rows


def heads(model: Any, chat: Chat, sources: Sequence[Source], cache: Path) -> None:
    training = planned(chat, sources, cache, mode="packed", rows=1)
    packs = [
        collated(training, chat, model, shared=True, rows=[training.plan.rows(number)[0].tolist()])
        for number in range(min(PACKS, training.plan.num_steps))
    ]
    supervised = sum(sum(batch.num_supervised) for batch in packs) / sum(sum(batch.num_tokens) for batch in packs)
    print(f"head over {VOCABULARY:,} words, {supervised:.0%} of the tokens supervised")
    picked: Way = ("supervised tokens", packs, "segments", False)
    whole: Way = ("all tokens", packs, "segments", True)
    for name, some, isolation, whole_head in (picked, whole):
        in_a_process(lambda: memory(model, name, some[0], isolation, whole_head=whole_head))  # noqa: B023 - called at once
    compare(model, picked, whole)


def memory(model: Any, name: str, batch: "Batch", isolation: Any, *, whole_head: bool) -> None:
    """Print the peak memory of a step over what there was before it."""
    before = peak_kb()
    step(model, batch, isolation, whole_head=whole_head)
    print(f"  {name:24} a step's peak is {(peak_kb() - before) / 2**10:,.0f} MB above what was there", flush=True)


def histogram(lengths: list[int]) -> None:
    counts, edges = np.histogram(lengths, bins=8, range=(0, max(lengths) + 1))
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        print(f"  {low:6.0f} to {high:6.0f} tokens: {count:4d} {'#' * round(50 * count / counts.max())}")


def took(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
