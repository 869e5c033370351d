import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.files import only_writer
from sightline.models.options import ModelOptions
from sightline.train.vlm import lengths
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.lengths import token_counts
from sightline.train.vlm.taskset_source import TaskSetSource

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.train.vlm.chat import Chat, open_chat


@pytest.fixture(scope="module")
def chat(saved) -> Chat:
    return open_chat(saved("qwen3_vl"), ModelOptions())


class Counted:
    """A source that notes which samples are read."""

    def __init__(self, source: TaskSetSource | JsonSource) -> None:
        self.source, self.read = source, []
        self.name, self.fingerprint, self.column = source.name, source.fingerprint, source.column

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int):
        self.read.append(position)
        return self.source[position]


def test_counts_are_the_lengths_of_labelled_samples_and_are_read_once(rooms, chat, tmp_path):
    source = Counted(TaskSetSource(rooms["t1_multi"], chat.dialect))
    seen = []
    counts = token_counts(source, chat, cache=tmp_path, progress=lambda *told: seen.append(told))
    assert seen[-1] == ("tokens of t1_multi-validation", len(source), len(source))
    for position in range(0, len(source), 7):
        labelled = chat.label(source.source[position])
        assert counts.tokens[position] == labelled.ids.size
        assert counts.supervised[position] == (labelled.labels >= 0).sum()
        assert counts.media[position] == labelled.slots[:, 1].sum() == 24
    assert source.read == list(range(len(source)))
    again = token_counts(source, chat, cache=tmp_path)
    assert len(source.read) == len(source)
    assert again.fingerprint == counts.fingerprint
    assert np.array_equal(again.tokens, counts.tokens)
    other = TaskSetSource(rooms["t1_multi"], chat.dialect, with_depth=True)
    assert token_counts(other, chat, cache=tmp_path).fingerprint != counts.fingerprint


def test_counting_goes_on_where_it_was_interrupted(rooms, chat, tmp_path, monkeypatch):
    monkeypatch.setattr(lengths, "ROWS_A_PART", 4)
    monkeypatch.setattr(lengths, "ROWS_A_CHUNK", 2)
    source = Counted(TaskSetSource(rooms["t1_multi"], chat.dialect))

    class Interrupted(Counted):
        def __getitem__(self, position: int):
            if position == 10:
                raise KeyboardInterrupt
            return super().__getitem__(position)

    with pytest.raises(KeyboardInterrupt):
        token_counts(Interrupted(source.source), chat, cache=tmp_path)
    counts = token_counts(source, chat, cache=tmp_path)
    assert source.read == list(range(8, len(source)))
    whole = token_counts(source.source, chat, cache=tmp_path / "whole")
    assert np.array_equal(counts.tokens, whole.tokens)
    assert {path.name for path in next(tmp_path.glob("t1*")).iterdir()} == {"what.json", "counts.npy", "bad.json", ".lock"}


def test_several_processes_count_what_one_does(chat, tmp_path, monkeypatch):
    monkeypatch.setattr(lengths, "ROWS_A_PART", 6)
    monkeypatch.setattr(lengths, "ROWS_A_CHUNK", 3)
    for number in range(5):
        Image.new("RGB", (64 + 32 * number, 64)).save(tmp_path / f"{number}.png")
    names = [f"{number % 6}.png" for number in range(16)]  # 5.png is missing
    source = Counted(talk(tmp_path, *names))
    alone, together = (token_counts(source, chat, cache=tmp_path / str(n), num_workers=n) for n in (0, 2))
    assert source.read == list(range(16))  # the second time not by this process
    for one, two in ((alone.tokens, together.tokens), (alone.supervised, together.supervised), (alone.media, together.media)):
        assert np.array_equal(one, two)
    assert alone.bad == together.bad
    assert set(alone.bad) == {5, 11}
    assert len(set(alone.tokens.tolist())) == 6


def talk(folder: Path, *images: str) -> JsonSource:
    said = [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", "value": "Here."}]
    (folder / "talk.json").write_text(json.dumps([{"id": image, "image": image, "conversations": said} for image in images]))
    return JsonSource(folder / "talk.json")


def test_a_sample_that_cannot_be_counted_is_kept_with_its_reason_and_tried_again(chat, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    source = talk(tmp_path, "a.png", "b.png", "../c.png")
    counts = token_counts(source, chat, cache=tmp_path / "cache")
    assert set(counts.bad) == {1, 2}
    assert "sample 'b.png'" in counts.bad[1]
    assert "leaves its root" in counts.bad[2]
    assert counts.tokens[0] > 0 == counts.tokens[1] == counts.tokens[2]
    Image.new("RGB", (64, 64)).save(tmp_path / "b.png")
    mended = token_counts(source, chat, cache=tmp_path / "cache")
    assert set(mended.bad) == {2}
    assert mended.tokens[1] == counts.tokens[0]


def test_two_processes_do_not_count_the_same(rooms, chat, tmp_path):
    source = TaskSetSource(rooms["t2a"], chat.dialect)
    token_counts(source, chat, cache=tmp_path)
    folder = next(tmp_path.iterdir())
    (folder / "counts.npy").unlink()
    with only_writer(folder), pytest.raises(InputError, match="being written by another process"):
        token_counts(source, chat, cache=tmp_path)
    assert token_counts(source, chat, cache=tmp_path).tokens.size == len(source)


def test_a_damaged_cache_is_named(rooms, chat, tmp_path):
    source = TaskSetSource(rooms["t2a"], chat.dialect)
    token_counts(source, chat, cache=tmp_path)
    np.save(next(tmp_path.iterdir()) / "counts.npy", np.zeros((1, 3), np.int32))
    with pytest.raises(InputError, match=r"counts.npy: int32 \(1, 3\); expected int32"):
        token_counts(source, chat, cache=tmp_path)
