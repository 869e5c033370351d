"""What `gpu_vlm` measures: training steps by us and by transformers' Trainer, and what was done in them."""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu_vlm_shapes import Sizes
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.chat import Chat
from sightline.train.vlm.curriculum import Mixed, StageMixture, Training, plan_training
from sightline.train.vlm.lengths import token_counts
from sightline.train.vlm.samples import Source

WARM_UP, MOST_STEPS, TOGETHER, WEIGHT = 2, 400, 8, 16


@dataclass(frozen=True)
class Way:
    """One row of the table: a data set, how rows are made of it, and how a step is computed."""

    data: str
    name: str
    batching: Batching
    whole_head: bool = False
    shared: bool = True
    by_transformers: bool = False


@dataclass
class Tally:
    """The steps since it was made: which samples each had, and the tokens of its rows with padding."""

    start: float = field(default_factory=time.perf_counter)
    waited: float = 0.0
    steps: list[tuple[list[int], int]] = field(default_factory=list)

    def row(self, training: Training, sizes: Sizes, how: argparse.Namespace) -> dict[str, Any]:
        """The numbers of the table up to now."""
        import torch  # noqa: PLC0415

        if how.device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - self.start
        done = [_work(training, numbers, sizes) for numbers, _ in self.steps]
        tokens, supervised, flops = (sum(each[place] for each in done) for place in range(3))
        peak = how.peak_tflops
        return {
            "tokens/s": tokens / seconds,
            "supervised/s": supervised / seconds,
            "samples/s": sum(len(numbers) for numbers, _ in self.steps) / seconds,
            "mfu": flops / (seconds * peak * 1e12) if peak else None,
            "stall": self.waited / seconds,
            "padding": 1 - tokens / sum(room for _, room in self.steps),
            "peak GiB": torch.cuda.max_memory_allocated() / 2**30 if how.device == "cuda" else None,
            "steps": len(self.steps),
        }


def _work(training: Training, numbers: list[int], sizes: Sizes) -> tuple[int, int, float]:
    """Tokens, supervised tokens and least work of a step; a picture that is shown twice is encoded once."""
    places = [training.plan.locate(number) for number in numbers]
    tokens = [int(training.counts[table].tokens[position]) for table, position in places]
    supervised = sum(int(training.counts[table].supervised[position]) for table, position in places)
    patches: dict[Path, float] = {}
    for number, (table, position) in zip(numbers, places, strict=True):
        images = training.sample(number).images
        own = int(training.counts[table].media[position]) * sizes.merged
        patches |= {image.path: own / len(images) for image in images}  # those of one sample are of one size here
    return sum(tokens), supervised, sizes.flops(tokens, supervised, patches.values())


@dataclass(frozen=True)
class Bench:
    """A model with what its batches are made of."""

    model: Any
    chat: Chat
    sources: dict[str, Sequence[Source]]
    cache: Path
    how: argparse.Namespace

    def planned(self, way: Way) -> Training:
        sources = self.sources[way.data]
        workers = self.how.workers
        counts = [token_counts(source, self.chat, cache=self.cache, num_workers=workers) for source in sources]
        mixture = tuple(Mixed(source.name, weight=min(1.0, WEIGHT / len(source))) for source in sources)
        mixture = mixture if len(sources) > 1 else (Mixed(sources[0].name),)
        return plan_training(sources, counts, stages=[StageMixture("all", mixture, until_step=MOST_STEPS)], batching=way.batching)


def measured(bench: Bench, way: Way) -> dict[str, Any]:
    """One way for its time."""
    import torch  # noqa: PLC0415

    training = bench.planned(way)
    if bench.how.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    tally = _by_transformers(bench, training) if way.by_transformers else _by_us(bench, training, way)
    return tally.row(training, Sizes.of(bench.model), bench.how)


def _by_us(bench: Bench, training: Training, way: Way) -> Tally:
    import torch  # noqa: PLC0415

    from sightline.train.trainable import Processes  # noqa: PLC0415
    from sightline.train.vlm.collate import Collator  # noqa: PLC0415
    from sightline.train.vlm.loading import Batches, load_batches  # noqa: PLC0415
    from sightline.train.vlm.loss import batch_loss  # noqa: PLC0415
    from sightline.train.vlm.pack import choose_isolation, isolate  # noqa: PLC0415

    device, model = torch.device(bench.how.device), bench.model
    best = choose_isolation(device) if bench.how.isolation == "auto" else bench.how.isolation
    isolation = best if way.batching.mode == "packed" else "none"
    isolate(model, isolation)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=device.type == "cuda")
    batches = Batches(training, Collator(bench.chat, model.config, shared=way.shared), Processes(), accumulate=1, per="token")
    tally = Tally()
    waiting = time.perf_counter()
    for loaded in load_batches(batches, range(MOST_STEPS), num_workers=bench.how.workers):
        tally.waited += time.perf_counter() - waiting
        assert loaded.batch is not None, "pictures are there"
        batch = loaded.batch.to(device)
        batch_loss(model, batch, norm=loaded.norm, isolation=isolation, whole_head=way.whole_head).backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        numbers = [number for row in training.plan.rows(loaded.number) for number in row.tolist()]
        tally.steps.append((numbers, batch.input_ids.numel()))
        if loaded.number + 1 == WARM_UP:
            tally = Tally()
        elif loaded.number + 1 > WARM_UP and _over(tally, bench.how):
            break
        waiting = time.perf_counter()
    return tally


def _by_transformers(bench: Bench, training: Training) -> Tally:
    """The samples of the plan by transformers' Trainer: its loop, its optimiser, its order; the model's own loss."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    from sightline.train.vlm.collate import Collator  # noqa: PLC0415
    from sightline.train.vlm.labels import IGNORED  # noqa: PLC0415
    from sightline.train.vlm.pack import PADDING, isolate  # noqa: PLC0415

    model, how = bench.model, bench.how
    isolate(model, "none")
    collator = Collator(bench.chat, model.config, shared=False)

    def collate(numbers: list[int]) -> dict[str, Any]:
        batch = collator([[training.sample(number)] for number in numbers])
        labels = torch.cat([torch.full_like(batch.targets[:, :1], IGNORED), batch.targets[:, :-1]], dim=1)
        text = {"input_ids": batch.input_ids, "attention_mask": (batch.sequences != PADDING).long(), "labels": labels}
        kinds = {"mm_token_type_ids": (batch.input_ids == model.config.image_token_id).int()}
        return text | kinds | batch.pictures.tensors | {"numbers": torch.tensor(numbers)}

    tallies: list[Tally] = []

    class Told(transformers.Trainer):
        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            numbers = inputs.pop("numbers").tolist()
            if tallies:
                tallies[-1].waited += time.perf_counter() - clock.idle_since
                tallies[-1].steps.append((numbers, inputs["input_ids"].numel()))
            return super().training_step(model, inputs, num_items_in_batch)

    class Clock(transformers.TrainerCallback):
        idle_since = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if how.device == "cuda":
                torch.cuda.synchronize()
            if state.global_step == WARM_UP:
                tallies.append(Tally())
            self.idle_since = time.perf_counter()
            control.should_training_stop = bool(tallies) and bool(tallies[0].steps) and _over(tallies[0], how)

    clock = Clock()
    numbers = [number for step in range(training.plan.num_steps) for row in training.plan.rows(step) for number in row.tolist()]
    with tempfile.TemporaryDirectory() as folder:
        settings = transformers.TrainingArguments(
            folder, per_device_train_batch_size=TOGETHER, max_steps=MOST_STEPS, learning_rate=1e-6, bf16=how.device == "cuda",
            use_cpu=how.device == "cpu", dataloader_num_workers=how.workers, remove_unused_columns=False, report_to=[],
            save_strategy="no", logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = Told(model, settings, data_collator=collate, train_dataset=numbers, callbacks=[clock])  # pyright: ignore[reportArgumentType]
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return tallies[0]


def _over(tally: Tally, how: argparse.Namespace) -> bool:
    return time.perf_counter() - tally.start >= how.seconds
