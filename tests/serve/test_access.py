"""Who may ask: names of this machine on its own ports, a token anywhere else."""

import pytest

from sightline.errors import InputError
from sightline.models import get_model
from sightline.serve.access import Access, access_to, is_loopback
from tests.serve.served import served

TOKEN = "0123456789abcdef0123"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.fixture(scope="module")
def guarded():
    with served(get_model("center"), access=Access(loopback=False, token=TOKEN.encode())) as service:
        yield service


@pytest.fixture(scope="module")
def local():
    with served(get_model("center")) as service:
        yield service


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xff"]
)
def test_without_the_token_nothing_is_answered(guarded, sent) -> None:
    headers = {} if sent is None else {"Authorization": sent}
    for answer in (guarded.get(**headers), guarded.post({}, **headers), guarded.get("/nothing", **headers)):
        assert (answer.status, answer.error["where"]) == (401, "Authorization")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert TOKEN not in answer.body.decode()


def test_with_the_token_any_name_will_do(guarded) -> None:
    assert guarded.get(Authorization=f"Bearer {TOKEN}", Host="robot.example").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8008",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "10.0.0.1",
        EVERYWHERE,
        "[::2]",
        "localhost:80:80",
        "a@localhost",
    ],
)
def test_a_name_that_was_pointed_here_is_refused(local, host) -> None:
    answer = local.get(Host=host)
    assert (answer.status, answer.error["where"]) == (421, "Host")


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "127.0.0.1:65535", "[::1]", "[::1]:80", "127.0.0.2"])
def test_names_of_this_machine_are_answered(local, host) -> None:
    assert local.get(Host=host).status == 200


def test_other_machines_are_served_only_with_a_token() -> None:
    with pytest.raises(InputError, match=r"--host 0\.0\.0\.0: other machines could ask.*openssl rand"):
        access_to(EVERYWHERE, {}, variable="T", asked=False)
    with pytest.raises(InputError, match="other machines"):
        access_to("", {"T": " "}, variable="T", asked=False)
    assert access_to(EVERYWHERE, {"T": TOKEN}, variable="T", asked=False) == Access(loopback=False, token=TOKEN.encode())
    assert access_to("127.0.0.1", {}, variable="T", asked=False) == Access(loopback=True)
    assert access_to("127.0.0.1", {"T": TOKEN}, variable="T", asked=False) == Access(loopback=True, token=TOKEN.encode())


@pytest.mark.parametrize("token", ["short", "with spaces in the middle", "ümlaute-sind-kein-ascii"])
def test_a_token_that_is_none_is_refused_and_not_shown(token) -> None:
    with pytest.raises(InputError, match="at least 16 characters") as caught:
        access_to("127.0.0.1", {"T": token}, variable="T", asked=True)
    assert token not in str(caught.value)


def test_a_token_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(InputError, match="variable T "):
        access_to("127.0.0.1", {}, variable="T", asked=True)


def test_a_token_is_in_no_representation() -> None:
    assert TOKEN not in repr(Access(loopback=True, token=TOKEN.encode()))


def test_loopback_is_told_from_the_rest() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3")] == [True] * 4
    assert [is_loopback(host) for host in (EVERYWHERE, "::", "", "192.168.0.1")] == [False] * 4
    with pytest.raises(InputError, match="Give an address of this machine"):
        is_loopback("256.256.256.256")
