"""Where an OpenAI-compatible server is, and the key it is asked with: `openai:URL#NAME`, `OPENAI_API_KEY`."""

import os
from urllib.parse import urlsplit

from sightline.errors import InputError
from sightline.models.openai.chat import LOOPBACK

KEY_VARIABLE = "OPENAI_API_KEY"


def parse_spec(rest: str) -> tuple[str, str]:
    """URL and model name of what follows `openai:`.

    Raises:
        InputError: one of them is missing.
    """
    url, _, name = rest.partition("#")
    if not url or not name:
        raise InputError(
            f"model 'openai:{rest}': expected openai:URL#NAME, e.g. openai:http://127.0.0.1:8000#Qwen/Qwen2.5-VL-7B-Instruct "
            "(quote it: # begins a comment in some shells). `GET URL/v1/models` lists the names that a server has."
        )
    return url, name


def checked_url(url: str) -> tuple[str, str]:
    """The URL that `/chat/completions` is added to, `/v1` where it has no path, and its host.

    Raises:
        InputError: no URL of a server, or one that holds a secret.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise InputError(f"server URL {url!r}: {error}. Expected e.g. http://127.0.0.1:8000/v1.") from error
    if parts.username or parts.password or parts.query:  # the URL is stored with the run: it must not hold a secret
        raise InputError(
            f"server URL at {host}: user names, passwords and queries in it would be stored with the run. "
            f"Give the plain URL and put the key into the environment variable {KEY_VARIABLE}."
        )
    if parts.scheme not in ("http", "https") or not host or parts.fragment:
        raise InputError(f"server URL {url!r}: expected http://HOST[:PORT][/v1] or https://....")
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}", host


def read_key(variable: str | None, url: str, host: str) -> str | None:
    """The key in the environment variable, `OPENAI_API_KEY` if none is named, or None if that is not set.

    Without a named variable no key goes over an unencrypted connection to another machine, where anyone could read it.

    Raises:
        InputError: a named variable is not set, or what it holds can be no key.
    """
    key = os.environ.get(variable or KEY_VARIABLE, "").strip()
    if variable is not None and not key:
        raise InputError(f"the environment variable {variable} (--api-key-env) is not set or empty. Set it to the server's key.")
    if not key or (variable is None and url.startswith("http:") and host not in LOOPBACK):
        return None
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"the key in the environment variable {variable or KEY_VARIABLE} holds characters that no key has. Copy it again."
        )
    return key
