"""Clips with expressions: the words are true of the shape whose mask stands beside them, and of no other; splits share nothing."""

import json

import numpy as np
import pytest

from sightline import media
from sightline.datasets import CLIP_READERS
from sightline.demo.worded import COLOURS, NUM_FRAMES, SIDE, WORDS, draw_shapes, expressions, write_worded
from sightline.errors import InputError
from sightline.geometry.masks import decode_mask
from sightline.types import MaskRle


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worded")
    write_worded(folder, num_train=3, num_validation=2)
    return folder


def test_masks_show_the_colour_that_the_words_name(root):
    reader = CLIP_READERS["mevis"][0]()(root, "train")
    assert len(reader) == 3
    checked = 0
    for clip in reader:
        assert (len(clip.frames), clip.width or SIDE) == (NUM_FRAMES, SIDE)
        tracks = {track.object_id: track for track in clip.tracks}
        for said in clip.expressions:
            assert said.object_ids
            named = [colour for colour in COLOURS if colour in said.text.split()]
            for frame, code in zip(clip.frames, tracks[said.object_ids[0]].masks, strict=True):
                if named and code is not None and decode_mask(code).sum() > 60:
                    rgb = media.read_rgb(root / frame.image)[decode_mask(code)]
                    assert np.abs(np.median(rgb, axis=0) - COLOURS[named[0]]).max() < 25
                    checked += 1
    assert checked > 50


def test_an_expression_is_true_of_one_shape_alone():
    for number in range(40):
        shapes = draw_shapes(np.random.default_rng(number))
        assert len({(shape.colour, shape.kind) for shape in shapes}) == len(shapes)
        said = [text for shape in shapes for text in expressions(shape, [other for other in shapes if other is not shape])]
        assert len(said) == len(set(said))
        assert {word for text in said for word in text.split()} <= set(WORDS)
        for shape in shapes:
            for text in expressions(shape, [other for other in shapes if other is not shape]):
                words = {shape.colour, shape.kind, shape.size, "the", "one"}
                assert set(text.split()) <= words


def test_in_about_every_other_clip_one_shape_comes_late():
    clips = [draw_shapes(np.random.default_rng(number)) for number in range(200)]
    late = [[shape for shape in shapes if shape.first] for shapes in clips]
    assert {len(own) for own in late} == {0, 1}
    assert 80 < sum(map(len, late)) < 120  # of 200; odds 1/2, deviation 7
    for (shape,) in filter(None, late):
        assert 4 < shape.first < NUM_FRAMES - 1  # behind the frames that Sa2VA is shown as published, and not the last one
        assert not shape.mask(shape.first - 1).any()
        assert shape.mask(shape.first).any()


def test_objects_of_a_clip_do_not_share_pixels_and_some_hide_others(root):
    masks = json.loads((root / "train" / "mask_dict.json").read_text())
    videos = json.loads((root / "train" / "meta_expressions.json").read_text())["videos"]
    for video in videos.values():
        own = sorted({said["anno_id"][0] for said in video["expressions"].values()})
        for frame in range(NUM_FRAMES):
            codes = [masks[str(number)][frame] for number in own]
            stack = [decode_mask(MaskRle(height=SIDE, width=SIDE, counts=code["counts"])) for code in codes if code]
            assert np.sum(stack, axis=0).max() == 1


def test_held_out_clips_are_others_and_every_clip_follows_from_seed_split_and_number(root, tmp_path):
    write_worded(tmp_path, num_train=1, num_validation=1)
    for path in sorted(tmp_path.rglob("*.jpg")):
        assert path.read_bytes() == (root / path.relative_to(tmp_path)).read_bytes()
    pictures = [path.read_bytes() for path in root.rglob("*.jpg")]
    assert len(set(pictures)) == len(pictures) == 5 * NUM_FRAMES


def test_no_clip_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one of each"):
        write_worded(tmp_path, num_train=0)
