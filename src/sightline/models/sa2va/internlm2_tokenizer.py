"""InternLM2's tokenizer as it is published: a sentencepiece model of byte-pair encoding and added tokens, without `tokenizer.json`.

    tokenizer.model           92,544 pieces, some of them reserved for others ("[UNUSED_TOKEN_145]")
    tokenizer_config.json     {"added_tokens_decoder": {"92542": {"content": "<|im_end|>", ..}, ..}, "add_bos_token": true, ..}
    added_tokens.json         {"[SEG]": 92553, ..}

The class that such a folder brings as code is never run: the same pieces go into one of transformers' fast tokenizers, merged in
the order of their scores. Ids are those of the published, slow tokenizer: text between added tokens is split for itself. Text of
ids has no spaces put around added tokens, where the slow one has some.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.sa2va.pieces import BPE, BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Piece, PieceModel, read_pieces

MODEL = "tokenizer.model"
SPACE = "▁"
DEFAULTS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
NUM_BYTES = 256
MOST_LETTERS = 1000  # of a piece; the longest of InternLM2 has 128


class _Token(msgspec.Struct, frozen=True):
    """An added token as the files have it."""

    content: str
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False
    special: bool = True


class _Config(msgspec.Struct, frozen=True):
    """What is read of `tokenizer_config.json`."""

    added_tokens_decoder: dict[int, _Token] = {}
    add_bos_token: bool = True
    unk_token: str | _Token | None = None
    bos_token: str | _Token | None = None
    eos_token: str | _Token | None = None
    pad_token: str | _Token | None = None

    def roles(self) -> dict[str, str]:
        """Tokens by what they are for."""
        named = {role: getattr(self, role) or default for role, default in DEFAULTS.items()}
        return {role: token if isinstance(token, str) else token.content for role, token in named.items()}


def internlm2_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - transformers'
    """The tokenizer of a folder with `tokenizer.model`.

    Raises:
        FileNotFoundError: no such file.
        InputError: the model is of another kind or prepares text as InternLM2's does not, ids of added tokens leave a gap, or the
            token for a beginning or an end is none.
    """
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    path = folder / MODEL
    model = read_pieces(path)
    config = read_json(folder / "tokenizer_config.json", _Config)
    added = _added(folder, config)
    _check(model, added, path)
    tokenizer = _tokenizer(model, added, path)
    roles = config.roles()
    if strange := [token for token in roles.values() if tokenizer.token_to_id(token) is None]:
        raise InputError(f"{folder}: {strange[0]!r} is no token of its tokenizer. Copy the checkpoint's tokenizer_config.json.")
    if config.add_bos_token:
        _begin_with(tokenizer, roles["bos_token"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **roles)


def merges_of(pieces: Iterable[Piece]) -> list[tuple[str, str]]:
    """Pairs of pieces that become one, the best first: a whole has the score of its piece."""
    scores = {piece.text: piece.score for piece in pieces if piece.kind == NORMAL}
    pairs = [
        (-score, place, text[:place], text[place:])
        for text, score in scores.items()
        for place in range(1, len(text))
        if text[:place] in scores and text[place:] in scores
    ]
    return [(left, right) for _, _, left, right in sorted(pairs)]


def _check(model: PieceModel, added: Mapping[int, Any], path: Path) -> None:
    own = [place for place, piece in enumerate(model.pieces) if piece.kind == USER_DEFINED and place not in added]
    kinds = {piece.kind for piece in model.pieces} - {NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE}
    num_bytes = sum(piece.kind == BYTE for piece in model.pieces)
    longest = max(len(piece.text) for piece in model.pieces)
    problems = {
        f"model type {model.kind}": model.kind != BPE,
        "a character map": model.replaces,
        "spaces removed": model.drops_spaces,
        "user-defined pieces and a prefix": bool(own) and model.dummy_prefix,
        f"pieces of kind {sorted(kinds)}": bool(kinds),
        f"{num_bytes} pieces of single bytes": num_bytes != NUM_BYTES,
        f"a piece of {longest:,} letters": longest > MOST_LETTERS,
    }
    if found := [name for name, is_so in problems.items() if is_so]:
        raise InputError(
            f"{path}: not a tokenizer as InternLM2's ({', '.join(found)}); expected byte-pair encoding (type {BPE}) of the text as "
            f"it is, with {NUM_BYTES} pieces of single bytes. Copy the checkpoint's tokenizer, or put a tokenizer.json there."
        )


def _tokenizer(model: PieceModel, added: Mapping[int, Any], path: Path) -> Any:  # noqa: ANN401 - of the package tokenizers
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers  # noqa: PLC0415

    texts = [str(added[place].content) if place in added else piece.text for place, piece in enumerate(model.pieces)]
    unknown = next((texts[place] for place, piece in enumerate(model.pieces) if piece.kind == UNKNOWN), None)
    tokenizer = Tokenizer(
        models.BPE(
            vocab={text: place for place, text in enumerate(texts)},
            merges=merges_of(model.pieces),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    spaces = normalizers.Replace(" ", SPACE)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaces]) if model.dummy_prefix else spaces
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] * model.dummy_prefix)])
    own = {
        place: AddedToken(texts[place], normalized=False, special=piece.kind == CONTROL)
        for place, piece in enumerate(model.pieces)
        if piece.kind in (USER_DEFINED, CONTROL)
    }
    _add(tokenizer, own | dict(added), path)
    return tokenizer


def _add(tokenizer: Any, tokens: Mapping[int, Any], path: Path) -> None:  # noqa: ANN401
    for place in sorted(tokens):
        tokenizer.add_tokens([tokens[place]])
        if (found := tokenizer.token_to_id(tokens[place].content)) != place:
            raise InputError(
                f"{path.parent}: added token {tokens[place].content!r} has id {place}, but would come to stand at {found}; "
                "expected ids without a gap behind the pieces, each token once. Copy the checkpoint's tokenizer_config.json and "
                "added_tokens.json."
            )


def _added(folder: Path, config: _Config) -> dict[int, Any]:
    """Added tokens by id, of either file."""
    from tokenizers import AddedToken  # noqa: PLC0415

    found: dict[int, Any] = {}
    if (folder / "added_tokens.json").is_file():
        stored = read_json(folder / "added_tokens.json", dict[str, int])
        found = {place: AddedToken(text, normalized=False, special=True) for text, place in stored.items()}
    return found | {place: AddedToken(**msgspec.structs.asdict(token)) for place, token in config.added_tokens_decoder.items()}


def _begin_with(tokenizer: Any, token: str) -> None:  # noqa: ANN401
    from tokenizers.processors import TemplateProcessing  # noqa: PLC0415

    pairs: Sequence[tuple[str, int]] = [(token, tokenizer.token_to_id(token))]
    tokenizer.post_processor = TemplateProcessing(single=f"{token} $A", pair=f"{token} $A $B:1", special_tokens=pairs)
