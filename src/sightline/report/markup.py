"""HTML in which every string is escaped, and text in which every hidden character shows.

`element("a", "a < b", href="#x")` is `<a href="#x">a &lt; b</a>`. What is not `Html` is text. Characters that reorder or hide text
(bidirectional controls, zero-width, other controls) appear as `⟨U+202E⟩`: what a model wrote cannot look like something else.
"""

import html
import json
import re

NUM_SHOWN = 4000  # characters of one text that a report holds

HIDDEN = re.compile(
    "["
    "\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # controls but tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"  # zero width, separators, bidirectional controls
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # surrogates, variation selectors, byte order mark
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # musical controls, tags
    "]"
)


class Html(str):
    """Markup that may stand in a page as it is."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | None) -> Html:
    """An element; a trailing `_` of an attribute's name is dropped, other `_` become `-`, None leaves the attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(show_hidden(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Children one after the other, texts escaped."""
    return Html("".join(child if isinstance(child, Html) else html.escape(show_hidden(child)) for child in children))


def show_hidden(text: str) -> str:
    """The text with each character that hides or reorders written as `⟨U+XXXX⟩`; other text is unchanged."""
    return HIDDEN.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)


def shorten(text: str, *, limit: int = NUM_SHOWN) -> tuple[str, int]:
    """The first `limit` characters with hidden ones shown, and how many characters were left off."""
    return show_hidden(text[:limit]), max(0, len(text) - limit)


def script(name: str, value: object) -> bytes:
    """A data file: hands plain `value` to the page under `name`.

    The value is a JSON string inside a script string (so `__proto__` stays a key), with `<`, `>`, `&` and all that is not ASCII
    written as escapes.
    """
    inner = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    outer = json.dumps(inner)
    for character in "<>&":
        outer = outer.replace(character, f"\\u{ord(character):04x}")
    return f"sightline.receive({json.dumps(name)},JSON.parse({outer}));\n".encode("ascii")
