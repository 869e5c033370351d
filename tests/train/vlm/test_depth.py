"""Depth beside pictures: read from each codec, paired by index, of its picture's shape, for a family that takes it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.depth_codecs import encode_metric_f32, encode_mm_u16, get_codec  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models.options import ModelOptions  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.collate import Collator  # noqa: E402
from sightline.train.vlm.depth import DepthForm, TakesDepth, check_rows, read_depth  # noqa: E402
from sightline.train.vlm.mixture import Opening, open_mixture, parse_mixture, read_registry  # noqa: E402
from sightline.train.vlm.prepare import prepare  # noqa: E402
from sightline.train.vlm.samples import MediaRef  # noqa: E402
from tests.train.vlm.packs import Tiny, sample, tiny  # noqa: E402
from tests.train.vlm.small import composed, settings_of  # noqa: E402

DEPTH_TOKEN, NUM_DEPTH_TOKENS = 5, 3
METRES = np.array([[1.0, 2.0, 0.0], [4.0, 4.0, 2.0]], np.float32)
NEAR = np.array([[255, 85, 0], [0, 0, 85]], np.uint8)
"""1 / METRES is 1, 1/2, none; 1/4, 1/4, 1/2: minus 1/4, by 3/4, times 255 it is 255, 85, none = 0; 0, 0, 85."""


class TakingLlava:
    """LLaVA's processor as that of a family with a depth tower of the same kind, whose depth has three tokens of its own."""

    depth_form: DepthForm = "inverse_u8x3"

    def __init__(self, processor) -> None:
        self.processor = processor

    def __getattr__(self, name: str):
        return getattr(self.processor, name)

    def __call__(self, **given):
        return self.processor(**given)

    def depth_values(self, depth):
        return self.processor.image_processor(Image.fromarray(depth), return_tensors="pt")["pixel_values"]

    def depth_tokens(self, width: int, height: int):  # noqa: ARG002
        return np.full(NUM_DEPTH_TOKENS, DEPTH_TOKEN, np.int64)


@pytest.fixture(scope="module")
def plain(saved) -> Tiny:
    return tiny(saved("llava"))


@pytest.fixture
def taking(saved, plain) -> Tiny:
    chat = open_chat(saved("llava"), ModelOptions())
    chat.labeller.processor = TakingLlava(chat.labeller.processor)
    return Tiny(plain.model, chat)


def coloured(folder: Path, name: str, size: tuple[int, int] = (6, 4)) -> MediaRef:
    pixels = np.random.default_rng(len(name)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return MediaRef(folder / name)


def depths(folder: Path) -> dict[str, MediaRef]:
    """The same depth by codec, in files of 3 x 2 pixels."""
    (folder / "mm.png").write_bytes(encode_mm_u16(METRES))
    (folder / "metric.npy").write_bytes(encode_metric_f32(METRES))
    Image.fromarray(np.repeat(NEAR[:, :, None], 3, axis=2)).save(folder / "three.png")
    Image.fromarray(NEAR).save(folder / "one.png")
    return {
        "mm": MediaRef(folder / "mm.png", codec="mm_u16"),
        "sensor": MediaRef(folder / "mm.png", codec="mm_u16", metres_per_unit=0.004),
        "metric": MediaRef(folder / "metric.npy", codec="metric_f32"),
        "three": MediaRef(folder / "three.png", codec="u8x3_minmax"),
        "one": MediaRef(folder / "one.png", codec="u8x3_minmax"),
    }


@pytest.mark.parametrize("codec", ["mm", "sensor", "metric", "three", "one"])
def test_every_codec_gives_the_picture_of_inverse_depth_in_three_channels(tmp_path, codec):
    found = read_depth(depths(tmp_path)[codec], (3, 2), "inverse_u8x3")
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.repeat(NEAR[:, :, None], 3, axis=2))


def test_metres_come_from_files_of_metres_alone(tmp_path):
    files = depths(tmp_path)
    assert np.allclose(read_depth(files["mm"], (3, 2), "metres"), METRES)
    assert np.allclose(read_depth(files["sensor"], (3, 2), "metres"), 4 * METRES)  # 0.004 m a unit instead of 0.001
    assert np.allclose(read_depth(files["metric"], (3, 2), "metres"), METRES)
    with pytest.raises(InputError, match=r"three\.png: relative depth \(u8x3_minmax\), but this model takes metres"):
        read_depth(files["three"], (3, 2), "metres")


def test_a_map_of_another_size_takes_each_pixel_from_its_nearest(tmp_path):
    found = read_depth(depths(tmp_path)["mm"], (6, 4), "metres")
    assert np.array_equal(found, METRES.repeat(2, axis=0).repeat(2, axis=1).astype(np.float32))
    with pytest.raises(InputError, match=r"depth of 3 x 2 pixels, but its picture has 4 x 6"):
        read_depth(depths(tmp_path)["mm"], (4, 6), "metres")


def test_depth_is_paired_by_index_beside_pictures_without_any(taking, tmp_path):
    one, two = coloured(tmp_path, "a.png"), coloured(tmp_path, "bb.png")
    files = depths(tmp_path)
    with_depth = replace(sample("with", (one, two)), depths=(files["three"], files["mm"]))
    alone = sample("alone", (one,))
    counted = [taking.chat.count(each)[0] for each in (with_depth, alone)]
    batch = Collator(taking.chat, taking.model.config)([[with_depth, alone]], planned=[counted])
    assert counted[0] - taking.chat.count(sample("with", (one, two)))[0] == 2 * NUM_DEPTH_TOKENS
    assert (batch.input_ids == DEPTH_TOKEN).sum() == 2 * NUM_DEPTH_TOKENS
    pictures = batch.pictures
    assert pictures.uses.tolist() == [0, 1, 2]  # the first picture without its depth is another
    assert pictures.tiles == (1, 1, 1)
    assert pictures.depth_tiles == (1, 1, 0)
    processor = taking.chat.labeller.processor
    assert isinstance(processor, TakesDepth)
    expected = processor.depth_values(np.repeat(NEAR.repeat(2, 0).repeat(2, 1)[:, :, None], 3, axis=2))
    assert torch.equal(pictures.tensors["depth_values"], expected.repeat(2, 1, 1, 1))
    assert pictures.tensors["depth_values"].shape[-2:] == pictures.tensors["pixel_values"].shape[-2:]


def test_a_batch_without_any_depth_has_one_map_that_is_nones(taking, tmp_path):
    pictures = taking.collate([sample("alone", (coloured(tmp_path, "a.png"),))]).pictures
    assert pictures.depth_tiles == (0,)
    assert pictures.tensors["depth_values"].shape == pictures.tensors["pixel_values"].shape
    assert not pictures.tensors["depth_values"].any()


def test_depth_of_another_shape_is_refused_with_the_sample(taking, tmp_path):
    wrong = replace(sample("askew", (coloured(tmp_path, "a.png", (40, 60)),)), depths=(depths(tmp_path)["mm"],))
    for work in (taking.chat.count, lambda one: taking.collate([one])):
        with pytest.raises(InputError, match=r"sample 'askew': .*mm\.png: depth of 3 x 2 pixels, but its picture has 40 x 60"):
            work(wrong)
    with pytest.raises(InputError, match=r"depth is 1 tiles of 8 x 4 and its picture 1 of 8 x 8"):
        check_rows(torch.zeros(1, 1, 4, 8), torch.zeros(1, 3, 8, 8), depths(tmp_path)["mm"])


def test_a_model_that_takes_no_depth_says_so_and_ignores_what_records_have(tmp_path, saved):
    talk = [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", "value": "There."}]
    coloured(tmp_path, "a.png", (120, 90))
    (tmp_path / "data.json").write_text(json.dumps([{"id": "s", "image": "a.png", "depth": "none.png", "conversations": talk}]))
    given = ("trainer.max_steps=1", "data.batching=padded")
    with pytest.raises(InputError, match=r"with_depth=true, but this model takes no depth: .*Qwen3VLProcessor"):
        prepare(settings_of(composed(tmp_path, saved("qwen3_vl"), tmp_path / "data.json", *given, "data.with_depth=true")))
    prepared = prepare(settings_of(composed(tmp_path, saved("qwen3_vl"), tmp_path / "data.json", *given)))
    assert prepared.training.sample(0).depths == ()


def test_a_mixture_has_sources_with_depth_of_their_own_codec_and_without(tmp_path, plain, rooms):
    talk = [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", "value": "There."}]
    coloured(tmp_path, "a.png")
    files = depths(tmp_path)
    for name, file in (("first", "metric"), ("second", "three")):
        record = {"image": "a.png", "depth": files[file].path.name, "conversations": talk}
        (tmp_path / f"{name}.json").write_text(json.dumps([record]))
    registry = {
        "first": {"annotation_path": "first.json", "depth_codec": "metric_f32"},
        "second": {"annotation_path": "second.json"},
        "alone": {"annotation_path": "second.json", "with_depth": False},
        "rooms": {"taskset": str(rooms["t1_multi"].path)},
        "rooms_alone": {"taskset": str(rooms["t1_concat"].path), "with_depth": False},
    }
    (tmp_path / "data.yaml").write_text(json.dumps(registry))
    opening = Opening(plain.chat.dialect, with_depth=True)
    sources = open_mixture(parse_mixture(list(registry)), read_registry(tmp_path / "data.yaml"), opening)
    codecs = [[depth.codec for depth in source[0].depths] for source in sources]
    assert codecs == [["metric_f32"], ["u8x3_minmax"], [], ["mm_u16", "mm_u16"], []]
    assert sources[1].fingerprint != sources[2].fingerprint
    assert get_codec("metric_f32").read(sources[0][0].depths[0].path).shape == (2, 3)
