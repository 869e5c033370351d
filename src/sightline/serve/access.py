"""Who may ask. On this machine's own ports: whoever names them by a loopback name, so that a web page whose host name was pointed
here (DNS rebinding) is refused. Anywhere else: whoever has the token.
"""

import hmac
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from sightline.errors import InputError
from sightline.serve.refusal import Refusal

MIN_TOKEN = 16
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?")


@dataclass(frozen=True)
class Access:
    """`token` in bytes; None where none is asked for. `loopback`: only names of this machine are answered to."""

    loopback: bool
    token: bytes | None = None

    def __repr__(self) -> str:
        return f"Access(loopback={self.loopback}, token={'None' if self.token is None else '***'})"

    def check(self, *, hosts: list[str], authorizations: list[str], needs_token: bool = True) -> None:
        """Look at the `Host` and `Authorization` headers of a request. `needs_token`: not for what tells and does nothing.

        Raises:
            Refusal: 421 another machine's name, 401 no token or a wrong one.
        """
        if self.loopback and not (len(hosts) == 1 and _is_loopback_name(hosts[0])):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this service is asked for by another name than this machine's ({hosts[0][:80] if hosts else 'none'!r})",
                where="Host",
                remedy="Use 127.0.0.1, [::1] or localhost; to serve other machines start it with --host and a token.",
            )
        if self.token is None or not needs_token:
            return
        expected = b"Bearer " + self.token
        given = authorizations[0].encode("latin-1", "replace") if len(authorizations) == 1 else b""
        if not hmac.compare_digest(given, expected):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "no token, or a wrong one" if authorizations else "no token",
                where="Authorization",
                remedy="Send `Authorization: Bearer TOKEN` with the token that the service was started with.",
                headers={"WWW-Authenticate": "Bearer"},
            )


def access_to(host: str, environment: Mapping[str, str], *, variable: str, asked: bool) -> Access:
    """Who may ask a service at `host`. The token is in the environment variable `variable` and nowhere else; `asked`: it has to be.

    Raises:
        InputError: a host that cannot be found, or that other machines can reach without a token; a token that is too easy.
    """
    loopback = is_loopback(host)
    token = environment.get(variable, "").strip()
    if not token:
        if asked:
            raise InputError(f"the environment variable {variable} (--token-env) is not set or empty. Put the token into it.")
        if not loopback:
            raise InputError(
                f"--host {host}: other machines could ask this service, so a token is needed. Put one into the variable {variable} "
                f"(`export {variable}=$(openssl rand -hex 32)`), or leave --host at 127.0.0.1."
            )
        return Access(loopback=True)
    if len(token) < MIN_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise InputError(
            f"the token in the environment variable {variable}: expected at least {MIN_TOKEN} characters of ASCII without spaces, "
            f"found {len(token)}. Make one with `openssl rand -hex 32`."
        )
    return Access(loopback=loopback, token=token.encode())


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach every address of `host`.

    Raises:
        InputError: it has no address.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)  # noqa: S104 - what an empty host means
    except OSError as error:
        raise InputError(f"--host {host!r}: {error}. Give an address of this machine, such as 127.0.0.1.") from error
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def _is_loopback_name(header: str) -> bool:
    """Whether a `Host` header names this machine itself; not looked up, since that is what a rebinding page counts on."""
    match = HOST.fullmatch(header)
    if match is None:
        return False
    name = match["name"].strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
