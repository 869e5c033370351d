"""RoboRefer in the trainer: the tokens it is asked with, packs that do not see each other, depth and pictures alone in one run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run as run_command  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.evaluate.predict import predict  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.models.architectures import TrainingView  # noqa: E402
from sightline.models.roborefer.inputs import Picture as Shown  # noqa: E402
from sightline.models.roborefer.inputs import RoboReferInputs, RoboReferSample  # noqa: E402
from sightline.models.roborefer.opening import open_roborefer  # noqa: E402
from sightline.models.roborefer.questions import DepthFrom, sample_of  # noqa: E402
from sightline.models.roborefer.text_forms import Slot as Place  # noqa: E402
from sightline.models.roborefer.text_forms import Turn as Message  # noqa: E402
from sightline.models.roborefer.weights import load_roborefer, write_published, write_single  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.depth import read_depth  # noqa: E402
from sightline.train.vlm.loss import hidden_states  # noqa: E402
from sightline.train.vlm.pack import isolate  # noqa: E402
from sightline.train.vlm.parts import set_parts  # noqa: E402
from sightline.train.vlm.samples import MediaRef, Sample, Slot, Turn  # noqa: E402
from sightline.train.vlm.taskset_source import TaskSetSource  # noqa: E402
from tests.models.roborefer import tiny as small_model  # noqa: E402
from tests.train.vlm.packs import Tiny, whole, worst  # noqa: E402
from tests.train.vlm.small import exact_rows, trained  # noqa: E402

CLOSE = 1e-6
MODES = ("resize", "dynamic")
SMALL = ("data.tokens_per_sample=1400", "model.image_mode=resize", "validation.max_new_tokens=6", "validation.num_examples=4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny RoboRefer in the published layout, with depth."""
    place = tmp_path_factory.mktemp("roborefer")
    model = small_model.model(small_model.config())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.3)  # wide weights are for answers that differ, and drown small differences
    write_published(model, place / "start", tokenizer_from=small_model.tokenizer_folder(place / "tokenizer"))
    return place / "start"


def opened(folder: Path, mode: str, *, with_depth: bool = True) -> Tiny:
    chat = open_chat(folder, ModelOptions(), view=TrainingView(image_mode=mode, with_depth=with_depth))
    return Tiny(load_roborefer(open_roborefer(folder, image_mode=mode)), chat)


@pytest.fixture(params=MODES)
def small(request, folder) -> Tiny:
    return opened(folder, request.param)


def drawn(place: Path, seed: int, size: tuple[int, int] = (70, 45)) -> MediaRef:
    path = place / f"{seed}-{size[0]}.png"
    if not path.exists():
        noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return MediaRef(path)


def depth_of(place: Path, seed: int, size: tuple[int, int] = (70, 45)) -> MediaRef:
    path = place / f"depth-{seed}-{size[0]}.png"
    if not path.exists():
        near = np.random.default_rng(100 + seed).integers(0, 256, (size[1], size[0], 1), dtype=np.uint8)
        Image.fromarray(near.repeat(3, axis=2)).save(path)
    return MediaRef(path, codec="u8x3_minmax")


def asked(name: str, pictures: tuple[MediaRef, ...], words: str, answer: str, depths: tuple[MediaRef, ...] = ()) -> Sample:
    slots = tuple(Slot("image", index) for index in range(len(pictures)))
    return Sample(name, "test", (Turn("user", (*slots, words)), Turn("assistant", (answer,))), images=pictures, depths=depths)


def mixed(place: Path) -> list[Sample]:
    """Two pictures with depth; none; one of the two without its depth; one of another shape with depth."""
    one, two, three = drawn(place, 1), drawn(place, 2), drawn(place, 3, (40, 60))
    return [
        asked("pair", (one, two), "Where is it?", "[(0.5, 0.25)]", (depth_of(place, 1), depth_of(place, 2))),
        asked("words", (), "How many?", "3"),
        asked("rgb", (one,), "And here?", "NOT_VISIBLE"),
        asked("deep", (three,), "The cup", "[(0.125, 0.750)]", (depth_of(place, 3, (40, 60)),)),
    ]


def as_it_asks(sample: Sample) -> RoboReferSample:
    """The same sample for the inputs of prediction, whose tokens are proven against the original."""
    rgb = [np.asarray(Image.open(ref.path)) for ref in sample.images]
    deep = [read_depth(ref, (p.shape[1], p.shape[0]), "inverse_u8x3") for ref, p in zip(sample.depths, rgb, strict=False)]
    pictures = tuple(Shown(picture, deep[index] if deep else None) for index, picture in enumerate(rgb))
    slots = [Place(kind) for _ in pictures for kind in (("image", "depth") if deep else ("image",))]
    turns = [Message("user" if t.role == "user" else "assistant", (t.text,)) for t in sample.turns]
    return RoboReferSample(sample.id, (Message("user", (*slots, *turns[0].parts)), *turns[1:]), pictures)


def test_a_sample_is_trained_on_the_tokens_and_labels_of_prediction(small, tmp_path):
    config = small.chat.checkpoint.config
    inputs = RoboReferInputs(config, small.chat.labeller.processor.tokenizer)
    for sample in mixed(tmp_path):
        theirs = inputs.prepare(as_it_asks(sample))
        ours = small.chat.label(sample)
        assert ours.ids.tolist()[: theirs.ids.size] == theirs.ids.tolist()
        assert ours.ids.size == theirs.ids.size == small.chat.count(sample)[0]
        assert ours.labels.tolist() == theirs.labels.tolist()


@pytest.mark.parametrize("task", ["t1_multi", "t1_concat", "t2a"])
def test_an_example_is_trained_on_the_tokens_it_is_asked_with(folder, rooms, task):
    has_depth = task != "t1_concat"
    small = opened(folder, "resize", with_depth=has_depth)
    taskset: TaskSet = rooms[task]
    source = TaskSetSource(taskset, small.chat.dialect, with_depth=has_depth)
    inputs = RoboReferInputs(small.chat.checkpoint.config, small.chat.labeller.processor.tokenizer)
    depth = DepthFrom(None) if has_depth else None
    for place in range(0, len(source), 7):
        question = sample_of(taskset[place].question, taskset, dialect=small.chat.dialect, form="consistent", depth=depth)
        ids = inputs.prepare(question).ids.tolist()
        assert small.chat.label(source[place]).ids.tolist()[: len(ids)] == ids


def logits(small: Tiny, batch: Any, isolation: Any) -> list[Any]:
    """Those of each sample."""
    isolate(small.model, isolation)
    with torch.no_grad():
        out = small.model.lm_head(hidden_states(small.model, batch, isolation)[0])
    rows = range(out.shape[0])
    return [out[row][batch.sequences[row] == number] for row in rows for number in range(int(batch.sequences[row].max()) + 1)]


def furthest(ours: Any, theirs: Any) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@pytest.mark.parametrize("isolation", ["segments", "mask"])
def test_changing_words_picture_or_depth_of_a_sample_changes_no_other(small, tmp_path, isolation):
    samples = mixed(tmp_path)
    before = logits(small, small.collate(samples), isolation)
    for index, other in (
        (0, replace(samples[0], images=(drawn(tmp_path, 9), samples[0].images[1]))),
        (0, replace(samples[0], depths=(depth_of(tmp_path, 9), samples[0].depths[1]))),
        (3, replace(samples[3], depths=(depth_of(tmp_path, 9, (40, 60)),))),
        (2, asked("rgb", samples[2].images, "And what of this?", "NOT_VISIBLE")),
    ):
        after = logits(small, small.collate([*samples[:index], other, *samples[index + 1 :]]), isolation)
        for place in range(4):
            if place == index:
                length = min(len(before[place]), len(after[place]))
                assert furthest(after[place][:length], before[place][:length]) > 1e-3
            else:
                assert furthest(after[place], before[place]) < CLOSE


def test_a_sample_in_a_pack_gives_what_the_model_gives_it_alone(small, tmp_path):
    samples = mixed(tmp_path)
    packed = logits(small, small.collate(samples), "segments")
    isolate(small.model, "none")
    inputs = RoboReferInputs(small.chat.checkpoint.config, small.chat.labeller.processor.tokenizer)
    for sample, ours in zip(samples, packed, strict=True):
        tensors = inputs.batch([as_it_asks(sample)]).tensors
        tensors.pop("labels")
        with torch.no_grad():
            assert furthest(ours, small.model(**tensors).logits[0]) < CLOSE


@pytest.mark.parametrize("per", ["token", "sample"])
def test_loss_and_gradients_of_a_pack_with_shared_pictures_are_those_of_its_samples_repeated(small, tmp_path, per):
    samples = mixed(tmp_path)
    packed = small.collate(samples)
    alone = small.collate(*([one] for one in samples), shared=False)
    assert len(packed.pictures.tiles) == 4  # with depth the first picture is another one than without
    again = [replace(samples[0], id="again"), *samples]
    assert len(small.collate(again).pictures.tiles) == 4
    loss, gradients = small.loss(packed, isolation="segments", norm=whole(packed, per))
    plain, expected = small.loss(alone, isolation="none", norm=whole(alone, per))
    assert loss == pytest.approx(plain, rel=1e-6)
    assert worst(gradients, expected) < (3e-5, "")
    twice, repeated = small.collate(again), small.collate(*([one] for one in again), shared=False)
    loss, gradients = small.loss(twice, isolation="segments", norm=whole(twice, per))
    plain, expected = small.loss(repeated, isolation="none", norm=whole(repeated, per))
    assert loss == pytest.approx(plain, rel=1e-6)
    assert worst(gradients, expected) < (3e-5, "")


@pytest.mark.parametrize("chosen", [[1], [2], [1, 2]])
def test_every_trained_parameter_has_a_gradient_in_a_batch_without_pictures_or_depth(small, tmp_path, chosen):
    set_parts(small.model, {}, unused=small.chat.checkpoint.unused)
    samples = mixed(tmp_path)
    batch = small.collate([samples[index] for index in chosen])
    _, gradients = small.loss(batch, isolation="segments", norm=whole(batch))
    assert gradients.keys() == {name for name, one in small.model.named_parameters() if one.requires_grad}
    assert not gradients["model.depth_projector.layers.2.weight"].any()
    assert gradients["model.mm_projector.layers.2.weight"].any() == (2 in chosen)


def test_what_nothing_reaches_is_not_trained(folder):
    small = opened(folder, "resize", with_depth=False)
    set_parts(small.model, {}, unused=small.chat.checkpoint.unused)
    frozen = {name.split(".encoder.layers.1.")[0] for name, one in small.model.named_parameters() if not one.requires_grad}
    assert "model.vision_tower" in frozen  # its last layer
    assert all("depth" in name or name.startswith("model.vision_tower") for name in frozen)
    assert any(name.startswith("model.depth_projector") for name in frozen)


def asking(rooms: Any, *more: str) -> tuple[str, ...]:
    return (*SMALL, f"validation.tasksets=[{rooms['t1_multi'].path}]", "evaluation={every: 2, metric: hit_exact}", *more)


FULL: tuple[str, ...] = ()
LORA = ("model.parts.vision.how=frozen", "model.parts.language_model.how=lora", "model.lora.rank=2")


@pytest.mark.parametrize("parts", [FULL, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("layout", ["published", "single"])
def test_a_run_writes_the_layout_it_began_from_and_answers_as_in_training(folder, tmp_path, rooms, parts, layout):
    start = folder
    if layout == "single":
        read = open_roborefer(folder)
        start = tmp_path / "single"
        write_single(load_roborefer(read), start, tokenizer_from=read.tokenizer_path)
    given = asking(rooms, *parts, "trainer.max_steps=2", "rates.lr=3e-3", "data.with_depth=true")
    done = trained(tmp_path, start, rooms["t1_multi"].path, *given)
    assert done.weights is not None
    assert (done.weights / "llm").is_dir() == (layout == "published")
    assert not any("lora" in name for name in load_roborefer(open_roborefer(done.weights)).state_dict())
    assert "tune_language_model" not in json.loads((done.weights / "config.json").read_text())
    for prefix in ("roborefer", "hf"):
        spec = f"{prefix}:{done.weights}" + "?depth=own" * (prefix == "roborefer")
        predict(rooms["t1_multi"], get_model(spec, ModelOptions(max_new_tokens=6)), tmp_path / prefix, limit=4)
    live = list(read_predictions(done.run / "evaluation" / "step-00000002" / rooms["t1_multi"].path.name))
    assert [one.text for one in read_predictions(tmp_path / "roborefer")] == [one.text for one in live]
    assert len(list(read_predictions(tmp_path / "hf"))) == 4


def test_a_run_of_pictures_with_and_without_depth_goes_on_exactly(folder, tmp_path, rooms):
    registry = {
        "deep": {"taskset": str(rooms["t1_multi"].path)},
        "plain": {"taskset": str(rooms["t1_concat"].path), "with_depth": False},
    }
    (tmp_path / "data.yaml").write_text(json.dumps(registry))
    given = (
        *SMALL,
        "data.with_depth=true",
        f"data.registry={tmp_path / 'data.yaml'}",
        "data.mixture=[deep,plain]",
        "schedule.shape=constant",
    )
    whole_run = trained(tmp_path / "whole", folder, None, *given)
    trained(tmp_path / "part", folder, None, *given, "trainer.max_steps=2")
    done = trained(tmp_path / "part", folder, None, *given, "resume=last")
    assert done.outcome.finished
    assert exact_rows(done.run) == exact_rows(whole_run.run)
    rows = exact_rows(done.run)
    assert any(row["loss of deep"] for row in rows)
    assert any(row["loss of plain"] for row in rows)


@pytest.mark.parametrize(
    ("task", "more", "images", "maps"),
    [("t1_multi", (), 2, 0), ("t1_concat", (), 1, 0), ("t1_multi", ("data.with_depth=true",), 2, 2)],
)
def test_check_counts_the_media_slots(folder, tmp_path, rooms, capsys, task, more, images, maps):
    given = (f"model.path={folder}", *SMALL[:2], "data.num_workers=0", f"data.counts_dir={tmp_path}", "trainer.max_steps=1", *more)
    assert run_command(["check", str(rooms[task].path), *given, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {(sample["num_pictures"], sample["num_depths"]) for sample in said["samples"]} == {(images, maps)}
    words = "".join(stretch["text"] for stretch in said["samples"][0]["stretches"])
    assert words.count("<image> x 4") == images  # 4 x 4 patches in blocks of 3 x 3 are 2 x 2 tokens
    assert words.count("<depth> x 4") == maps


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("model.max_pixels=10000",), "set model.image_mode and model.max_tiles"),
        (("model.image_mode=squares",), "image mode"),
        (("model.image_mode=dynamic_s2",), "dynamic_s2"),
        (
            (
                "model.parts={vision: {how: frozen}, projector: {how: frozen}, language_model: {how: frozen},"
                " depth_projector: {how: full}}",
            ),
            "of no use in this run",
        ),
    ],
)
def test_settings_that_fit_no_roborefer_are_refused(folder, tmp_path, rooms, given, message):
    with pytest.raises(InputError, match=message):
        trained(tmp_path, folder, rooms["t2a"].path, *SMALL[:1], "model.image_mode=resize", *given)


def test_words_with_a_placeholder_are_refused_with_the_sample(small, tmp_path):
    for token in ("<image>", "<depth>"):
        wrong = asked("odd", (drawn(tmp_path, 1),), f"What is {token}?", "A sign.")
        with pytest.raises(InputError, match=f"test, sample 'odd': .*{token}"):
            small.chat.label(wrong)
