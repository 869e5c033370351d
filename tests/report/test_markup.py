"""Texts stay texts, whatever stands in them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.report.markup import Html, element, join, script, shorten, show_hidden


def test_children_and_attributes_are_escaped_unless_they_are_html():
    made = element("p", "<b>&", Html("<i>x</i>"), title='"><script>', class_="a")
    assert made == '<p title="&quot;&gt;&lt;script&gt;" class="a">&lt;b&gt;&amp;<i>x</i></p>'


def test_joining_keeps_markup_and_escapes_text():
    assert join("a<", element("br")) == "a&lt;<br></br>"


@pytest.mark.parametrize("code", [0x0, 0x1B, 0x7F, 0xAD, 0x200B, 0x200D, 0x202E, 0x2028, 0x2066, 0x2069, 0xFEFF, 0xFE0F, 0xE0041])
def test_characters_that_hide_or_reorder_text_are_shown_by_number(code: int):
    assert show_hidden(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


def test_other_text_is_left_as_it_is():
    text = "tab\tline\n é ü 点 (12, 34) 🙂"
    assert show_hidden(text) == text


def test_long_text_is_cut_and_says_by_how_much():
    assert shorten("abcde", limit=3) == ("abc", 2)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_a_data_file_gives_its_value_back_and_holds_no_markup(value):
    text = script("rows-0", value).decode("ascii")
    assert not set(text) & set("<>&")
    call = re.fullmatch(r'sightline\.receive\("rows-0",JSON\.parse\((".*")\)\);\n', text)
    assert call is not None
    assert json.loads(json.loads(call.group(1))) == value
