"""Batches of real processors: shapes, targets, and pictures that are not what was written down."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

import functools
import operator

from sightline.errors import InputError
from sightline.train.vlm.collate import Collator
from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.samples import MediaRef
from sightline.train.vlm.taskset_source import TaskSetSource
from tests.train.vlm.packs import FAMILIES, Tiny, four, picture, sample, tiny


@pytest.fixture(params=FAMILIES)
def small(request, saved) -> Tiny:
    return tiny(saved(request.param))


def test_a_pack_holds_the_tokens_of_its_samples_and_asks_each_for_its_next(small, tmp_path):
    samples = four(tmp_path)
    labelled = [small.chat.label(one) for one in samples]
    batch = small.collate(samples[:3], samples[3:])
    lengths = [one.ids.size for one in labelled]
    assert batch.num_tokens == tuple(lengths)
    assert batch.input_ids.shape == (2, sum(lengths[:3]))
    assert batch.bounds.ends.tolist() == [*np.cumsum([0, *lengths]), 2 * sum(lengths[:3])]
    assert batch.sequences[1].tolist() == [0] * lengths[3] + [-1] * (sum(lengths[:3]) - lengths[3])
    assert batch.input_ids[0].tolist() == np.concatenate([one.ids for one in labelled[:3]]).tolist()
    expected = [[*one.labels[1:].tolist(), IGNORED] for one in labelled]
    assert batch.targets[0].tolist() == functools.reduce(operator.iadd, expected[:3], [])
    assert batch.targets[1][: lengths[3]].tolist() == expected[3]
    assert (batch.targets[1][lengths[3] :] == IGNORED).all()
    assert batch.num_supervised == tuple((one.labels != IGNORED).sum() for one in labelled)
    assert batch.num_pictures == (2, 0, 3, 1)
    assert batch.padding == pytest.approx(1 - sum(lengths) / batch.input_ids.numel())


def test_pixels_are_those_of_the_processor(small, tmp_path):
    samples = four(tmp_path)
    batch = small.collate(samples, shared=False)
    pictures = [Image.open(ref.path) for one in samples for ref in one.images]
    processor = small.chat.labeller.processor
    made = processor(text=[processor.image_token * len(pictures)], images=[pictures], return_tensors="pt")
    for name, tensor in batch.pictures.tensors.items():
        assert torch.equal(tensor, made[name]), name
    assert batch.pictures.uses.tolist() == list(range(6))


def test_examples_of_task_sets_have_the_tokens_they_were_counted_with(small, rooms):
    source = TaskSetSource(rooms["t1_multi"], small.chat.dialect)
    samples = [source[position] for position in range(3)]
    counted = [small.chat.count(one) for one in samples]
    batch = Collator(small.chat, small.model.config)([samples], planned=[[tokens for tokens, _, _ in counted]])
    assert batch.num_tokens == tuple(tokens for tokens, _, _ in counted)
    assert batch.num_supervised == tuple(supervised for _, supervised, _ in counted)
    image_tokens = (batch.input_ids == small.model.config.image_token_id).sum()
    edges = 2 * batch.pictures.uses.numel() if small.model.config.model_type == "internvl" else 0
    assert image_tokens + edges == sum(media for _, _, media in counted)


def test_a_batch_moves_as_a_whole(small, tmp_path):
    moved = small.collate(four(tmp_path)).to(torch.device("meta"))
    tensors = [moved.input_ids, moved.targets, moved.position_ids, moved.sequences, moved.bounds.ends, moved.pictures.uses]
    assert {tensor.device.type for tensor in [*tensors, *moved.pictures.tensors.values()]} == {"meta"}


def test_a_picture_of_another_size_than_was_written_down_is_named(saved, tmp_path):
    small = tiny(saved("qwen2_5_vl"))
    wrong = replace(picture(tmp_path, 1), size=(28, 400))
    with pytest.raises(InputError, match=r"sample 'x': picture 2 \(.*1.png\) gives 12 tokens, but its slot has room for"):
        small.collate([sample("fine", ()), sample("x", (picture(tmp_path, 2), wrong))])


def test_another_length_than_was_planned_is_named(saved, tmp_path):
    small = tiny(saved("llava"))
    samples = four(tmp_path)[:2]
    lengths = [small.chat.count(one)[0] for one in samples]
    collator = Collator(small.chat, small.model.config)
    with pytest.raises(InputError, match=f"sample 'b': {lengths[1]} tokens, but {lengths[1] + 1} were counted"):
        collator([samples], planned=[[lengths[0], lengths[1] + 1]])


def test_missing_and_broken_pictures_are_named(saved, tmp_path):
    small = tiny(saved("llava"))
    with pytest.raises(FileNotFoundError, match=r"sample 'x': .*nowhere.png"):
        small.collate([sample("x", (MediaRef(tmp_path / "nowhere.png", size=(10, 10)),))])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"sample 'x': .*broken.png"):
        small.collate([sample("x", (MediaRef(broken, size=(10, 10)),))])
