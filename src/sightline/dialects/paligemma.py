"""PaliGemma 1 and 2: `<loc0512><loc0256> cup`, one token for each number, Y FIRST; a box is four tokens, ymin xmin ymax xmax.

Numbers are 1024ths of the picture, 0..1023: the far edge itself (1024) has no token and is written 1023, one whole step off.
Several objects are `<loc..>.. cup ; <loc..>.. cup`, so all runs of tokens in a text are one answer. Text without tokens is no
answer. Source: google-research/big_vision, PaliGemma detection format.
"""

import re
from collections.abc import Sequence

from sightline.dialects.convention import Convention, Number, bins_1024
from sightline.dialects.family import Family, Numerals
from sightline.dialects.reading import Habits
from sightline.dialects.scan import Found, Group
from sightline.errors import InputError

LAST_BIN = 1023

_RUN = re.compile(r"(?:<loc[0-9]{4}>)+")
_CUT_TOKEN = re.compile(r"<(?:l(?:o(?:c[0-9]{0,4})?)?)?\Z")
_TOKEN_LENGTH = len("<loc0000>")


def paligemma() -> Family:
    """The dialect of PaliGemma."""
    range_words = "where each number is one of the 1024 location tokens"
    return Family(
        name="paligemma",
        habits=Habits(Convention(span=bins_1024, order="yx"), find=find_tokens),
        point_form=f"<locYYYY><locXXXX>, {range_words}",
        box_form=f"<locYYYY><locXXXX><locYYYY><locXXXX> (top, left, bottom, right), {range_words}",
        refer=_tokens,
        spell=lambda groups, _: " ; ".join(f"{_tokens(numerals)} target" for numerals in groups),
    )


def find_tokens(text: str) -> Found:
    """Runs of two or four location tokens. A run that the end of the text cuts off is not counted."""
    text = text.rstrip()
    cut_token = _CUT_TOKEN.search(text, max(0, len(text) - _TOKEN_LENGTH))
    end = cut_token.start() if cut_token else len(text)
    cut = cut_token is not None
    groups: list[Group] = []
    problems: dict[str, None] = {}
    for run in _RUN.finditer(text):
        numerals = [run.group()[start + 4 : start + 8] for start in range(0, len(run.group()), _TOKEN_LENGTH)]
        if run.end() == end and (cut or len(numerals) in (1, 3)):
            cut = True
        elif len(numerals) in (2, 4):
            groups.append(Group(tuple(Number(float(numeral)) for numeral in numerals)))
        else:
            problems[f"{min(len(numerals), 99)}_tokens_in_a_run"] = None
    return Found((tuple(groups),) if groups else (), cut, tuple(problems))


def _tokens(numerals: Sequence[str] | Numerals) -> str:
    bins = [int(numeral) for numeral in numerals]
    if min(bins) < 0 or max(bins) > LAST_BIN + 1:
        raise InputError(
            f"no PaliGemma location token for {bins} (y first, in 1024ths of the picture): expected 0 to 1024. "
            "Clip the geometry to the picture before writing it."
        )
    return "".join(f"<loc{min(value, LAST_BIN):04d}>" for value in bins)
