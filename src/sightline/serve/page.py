"""The files of the page that shows masks over frames. They are ours, name no other machine, and hold no script in the markup."""

from functools import cache
from importlib.resources import files

KINDS = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Nothing may be loaded but from here, and pictures out of the answers."""


@cache
def page_file(name: str) -> tuple[bytes, str]:
    """The content of one of the page's own files, and its type."""
    return (files("sightline.serve") / "assets" / name).read_bytes(), KINDS[name.rpartition(".")[2]]
