"""InternLM2's tokenizer without its code: ids as sentencepiece gives them, added tokens where the files say."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.models.sa2va.internlm2_tokenizer import internlm2_tokenizer
from sightline.models.sa2va.pieces import USER_DEFINED, Piece, read_pieces
from tests.models.sa2va.piece_files import LETTERS, WHOLES, model_bytes, small_pieces, split_by_scores
from tests.models.sa2va.published import write_internlm2_tokenizer

PIECES = small_pieces()
TEXTS = st.lists(st.sampled_from([*LETTERS, *WHOLES, " ", "  ", "é", "物", "\0", "<s", "[UNUSED"]), max_size=30).map("".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internlm2_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return internlm2_tokenizer(folder)


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_ids_are_those_of_the_best_pairs_first_and_text_comes_back(tokenizer: Any, text: str) -> None:
    found = ids_of(tokenizer, text)
    assert found == split_by_scores(text, PIECES)
    assert tokenizer.decode(found) == text.replace("▁", " ")


def test_text_between_added_tokens_is_split_for_itself(tokenizer: Any) -> None:
    seg, end, start = (tokenizer.convert_tokens_to_ids(token) for token in ("[SEG]", "<|im_end|>", "<|im_start|>"))
    # 3 marks, 256 bytes, 20 wholes and 30 letters: the free places are 309 and 310, and [SEG] is the fourth behind them
    assert (end, start, seg) == (309, 310, 314)
    assert ids_of(tokenizer, "the[SEG] the<|im_end|>") == [
        *split_by_scores("the", PIECES),
        seg,
        *split_by_scores(" the", PIECES),
        end,
    ]
    assert tokenizer.decode([seg, *split_by_scores(" and", PIECES), seg, end]) == "[SEG] and[SEG]<|im_end|>"
    assert tokenizer("")["input_ids"] == [1]
    assert (tokenizer.eos_token_id, tokenizer.unk_token_id, len(tokenizer)) == (2, 0, 319)


def test_ids_are_those_of_sentencepiece(tmp_path: Path) -> None:
    library: Any = pytest.importorskip("sentencepiece", reason="needs the dev extra")
    text = "Please segment the person on the left. The person wears a red hat, and the other one wears none.\n" * 3
    (tmp_path / "text").write_text(text + "def f(a, b):\n    return a + b  # 1024\n")
    library.SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "tokenizer"),
        model_type="bpe",
        vocab_size=340,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    (tmp_path / "tokenizer_config.json").write_text("{}")
    reference = library.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    tokenizer = internlm2_tokenizer(tmp_path)
    for words in (text, "  two  spaces ", "def hats(one):\n        return 10245", "Ünlike 物\tthe [SEG]", ""):
        assert ids_of(tokenizer, words) == reference.encode(words)


def test_a_prefix_is_put_before_every_stretch_of_text(tmp_path: Path) -> None:
    pieces = [piece for piece in PIECES if piece.kind != USER_DEFINED]
    (tmp_path / "tokenizer.model").write_bytes(model_bytes(pieces, dummy_prefix=True))
    record = {"content": "[SEG]", "special": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": {str(len(pieces)): record}}))
    tokenizer = internlm2_tokenizer(tmp_path)
    the = split_by_scores(" the", pieces)
    assert ids_of(tokenizer, "the[SEG]the") == [*the, len(pieces), *the]
    assert tokenizer.decode(the) == "the"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (model_bytes(PIECES, kind=1), "model type 1"),
        (model_bytes(PIECES, charsmap=b"abc"), "a character map"),
        (model_bytes(PIECES, drops_spaces=True), "spaces removed"),
        (model_bytes(PIECES, dummy_prefix=True), "user-defined pieces and a prefix"),
        (model_bytes([*PIECES, Piece("gone", kind=5)]), r"pieces of kind \[5\]"),
        (model_bytes(PIECES[:200]), "197 pieces of single bytes"),
        (model_bytes([*PIECES, Piece("a" * 1001)]), "a piece of 1,001 letters"),
        (model_bytes(PIECES)[:-3], "no sentencepiece model, or cut short"),
        (b"\x0b", "a field of kind 3"),
        (b"\xff" * 12, "a number of more than ten bytes"),
        (b"", "no pieces in it"),
    ],
)
def test_other_models_are_refused_by_what_is_different(changed: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "tokenizer.model").write_bytes(changed)
    with pytest.raises(InputError, match=expected):
        internlm2_tokenizer(tmp_path)


def test_settings_that_are_none_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes((folder / "tokenizer.model").read_bytes())
    for stored, expected in (
        ('{"bos_token": "<begin>"}', "'<begin>' is no token of its tokenizer"),
        ('{"added_tokens_decoder": {"311": {"text": "[SEG]"}}}', "tokenizer_config.json: .*`content`"),
        ('{"added_tokens_decoder": {"last": {"content": "[SEG]"}}}', "tokenizer_config.json: "),
    ):
        (tmp_path / "tokenizer_config.json").write_text(stored)
        with pytest.raises(InputError, match=expected):
            internlm2_tokenizer(tmp_path)


def test_added_tokens_with_a_gap_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes((folder / "tokenizer.model").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "added_tokens.json").write_text('{"[SEG]": 400}')
    with pytest.raises(InputError, match=r"'\[SEG\]' has id 400, but would come to stand at 311"):
        internlm2_tokenizer(tmp_path)


def test_what_the_file_says_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(model_bytes([Piece("<unk>", kind=2), Piece("▁the", -3.5)], dummy_prefix=True))
    found = read_pieces(path)
    assert found.pieces == (Piece("<unk>", kind=2), Piece("▁the", -3.5))
    assert (found.kind, found.dummy_prefix, found.drops_spaces, found.replaces) == (2, True, False, False)
    path.write_bytes(b"\x0a\x03\x0a\x01a" + b"\x0a\x08\x0a\x01b\x15" + struct.pack("<f", 2.0))  # nothing but two pieces
    bare = read_pieces(path)
    assert bare.pieces == (Piece("a"), Piece("b", 2.0))
    assert (bare.kind, bare.dummy_prefix, bare.drops_spaces) == (1, True, True)  # what the format says of missing fields
