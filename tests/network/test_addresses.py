"""Where a session connects to: what the caller says before what the system's resolver says."""

import asyncio
import pickle
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any

import pytest

import gofer
from gofer.exceptions import NameResolutionError
from gofer.messages.url import parse
from servers.certificates import Certificates
from servers.raw import always, response, serve
from servers.web import Web
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")


@pytest.mark.parametrize(
    "name", ["shop.example:80", "shop.example", "SHOP.example.:80"], ids=str
)  # fmt: skip
def test_a_host_can_be_given_an_address(web: Web, name: str) -> None:
    """Host says what the URL says; nobody looks the name up."""
    with gofer.Session(resolve={name: f"127.0.0.1:{web.port}"}) as session:
        answer = session.get("http://shop.example/get")

    assert "shop.example" == answer.json()["headers"]["Host"]
    assert "http://shop.example/get" == answer.url


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("bücher.example", "http://bücher.example/get"),
        ("BÜCHER.example:80", "http://xn--bcher-kva.example/get"),
        ("xn--bcher-kva.example", "http://bücher.example/get"),
        ("[2001:db8::1]", "http://[2001:db8::1]/get"),
        ("2001:db8::1", "http://[2001:db8::1]/get"),
        ("[2001:DB8:0::1]:80", "http://[2001:db8::1]/get"),
        ("2001:0db8:0:0::1", "http://[2001:DB8::1]/get"),
        ("192.0.2.1", "http://192.0.2.1:80/get"),
        ("a.example", "http://a.example./get"),
    ],
)
def test_a_host_can_be_written_in_every_way(web: Web, name: str, url: str) -> None:
    """As in URLs: what is the same host is found."""
    with gofer.Session(resolve={name: f"127.0.0.1:{web.port}"}, timeout=5) as session:
        assert 200 == session.get(url).status_code


def test_an_address_can_be_an_object(web: Web) -> None:
    """Of `ipaddress`, in a dict or from a callable, alone or in a list."""
    address = ip_address("127.0.0.1")
    for given in ({"a.example": address}, {"a.example": [ip_address("::1"), address]},
                  lambda host, port: address, lambda host, port: [address]):  # fmt: skip
        with gofer.Session(resolve=given) as session:
            assert 200 == session.get(f"http://a.example:{web.port}/get").status_code


def test_the_certificate_is_that_of_the_host(web_tls: Web, certificates: Certificates) -> None:
    """SNI and the check of the certificate go by the URL, not by the address."""
    resolve = {"localhost:443": f"127.0.0.1:{web_tls.port}", "other.example": "127.0.0.1"}
    with gofer.Session(verify=certificates.ca_file, resolve=resolve) as session:
        assert 200 == session.get("https://localhost/get").status_code
        with pytest.raises(gofer.exceptions.CertificateError):
            session.get(f"https://other.example:{web_tls.port}/get")


def test_several_addresses_are_tried(web: Web) -> None:
    """As with those of a name: the second, if the first refuses."""
    refused = "127.0.0.1:1"
    with gofer.Session(resolve={"a.example": [refused, f"127.0.0.1:{web.port}"]}) as session:
        assert 200 == session.get("http://a.example/get").status_code


def test_a_name_can_stand_for_a_name(web: Web) -> None:
    """The address may be a name, to be looked up."""
    with gofer.Session(resolve={"a.example": f"localhost:{web.port}"}) as session:
        assert 200 == session.get("http://a.example/get").status_code


def test_a_name_that_stands_for_nothing_is_named(web: Web) -> None:
    """Beside the host that it was given for; if it is not alone, the others are tried."""
    url = f"http://a.example:{web.port}/get"
    with gofer.Session(resolve={"a.example": "backend.invalid"}) as session:
        with pytest.raises(NameResolutionError, match=r"a\.example.*backend\.invalid"):
            session.get(url)
    with gofer.Session(resolve={"a.example": ["backend.invalid", "127.0.0.1"]}) as session:
        assert 200 == session.get(url).status_code


def test_a_callable_is_asked(web: Web) -> None:
    """For each host; None leaves it to the system. It may be awaited."""
    asked: list[Any] = []

    async def resolve(host: str, port: int) -> str | None:
        asked.append((host, port))
        return f"127.0.0.1:{web.port}" if host == "a.example" else None

    with gofer.Session(resolve=resolve) as session:
        assert 200 == session.get("http://a.example/get").status_code
        assert 200 == session.get(f"http://localhost:{web.port}/get").status_code
    assert [("a.example", 80), ("localhost", web.port)] == asked


def test_a_callable_can_refuse(web: Web) -> None:
    """What it raises reaches the caller: a guard against requests to one's own network."""

    def resolve(host: str, port: int) -> None:
        raise gofer.exceptions.InvalidURL(f"{host} is not for you")

    with gofer.Session(resolve=resolve) as session:
        with pytest.raises(gofer.exceptions.InvalidURL, match="not for you"):
            session.get(web.url)
    assert 0 == web.accepted


@pytest.fixture
def stalls() -> Iterator[Any]:
    """A callable that says nothing before the test is over."""
    over = threading.Event()

    def resolve(host: str, port: int) -> None:
        assert over.wait(20)

    yield resolve
    over.set()


@pytest.mark.parametrize(
    ("limit", "error"),
    [({"timeout": 0.2}, gofer.ConnectTimeout), ({"deadline": 0.2}, gofer.DeadlineExceeded)],
    ids=["timeout", "deadline"],
)
def test_a_callable_that_stalls_is_left_behind(stalls: Any, limit: Any, error: Any) -> None:
    """As the system's resolver is; the error says that names were being looked up."""
    with gofer.Session(resolve=stalls) as session:
        with pytest.raises(error, match=r"resolving a\.test"):
            session.get("http://a.test/", **limit)
        assert (0, 0, 0) == session.network.pool.counts


def test_a_callable_that_nobody_can_interrupt_is_named(web: Web) -> None:
    """It is late, and not the connecting after it."""

    async def resolve(host: str, port: int) -> str:
        threading.Event().wait(0.2)
        return "127.0.0.1"

    with gofer.Session(resolve=resolve, timeout=0.1) as session:
        with pytest.raises(gofer.ConnectTimeout, match=r"resolving a\.test"):
            session.get(f"http://a.test:{web.port}/get")


def test_a_callable_has_the_callers_context(web: Web) -> None:
    """In whatever thread it is called."""
    caller = ContextVar("caller", default="nobody")
    seen: list[str] = []

    def resolve(host: str, port: int) -> str:
        seen.append(caller.get())
        return "127.0.0.1"

    token = caller.set("me")
    try:
        with gofer.Session(resolve=resolve) as session:
            assert 200 == session.get(f"http://a.test:{web.port}/get").status_code
    finally:
        caller.reset(token)
    assert ["me"] == seen


@pytest.mark.only_in("blocking", "hub", "gevent")
@pytest.mark.parametrize("seconds", [0, 1], ids=["bare", "by the loop"])
def test_where_no_loop_is_nobody_waits_for_one(seconds: float) -> None:
    """The error says what can, whether the callable just waits or asks for its loop."""
    ended: list[bool] = []

    async def resolve(host: str, port: int) -> str:
        try:
            await asyncio.sleep(seconds)
        finally:
            ended.append(True)
        return "127.0.0.1"

    with gofer.Session(resolve=resolve) as session:
        with pytest.raises(RuntimeError) as caught:
            session.get("http://a.test/")
    assert "AsyncSession" in str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert [True] == ended


def test_no_addresses_is_an_error() -> None:
    """An empty list is a host that is not there."""
    with gofer.Session(resolve=lambda host, port: []) as session:
        with pytest.raises(NameResolutionError):
            session.get("http://a.example/")


def test_what_a_callable_gives_is_checked(web: Web) -> None:
    """Addresses, or None."""
    for given, error in ((5, TypeError), (["a:b:c"], ValueError), ([None], ValueError)):
        with gofer.Session(resolve=lambda host, port, given=given: given) as session:
            with pytest.raises(error, match="resolve"):
                session.get(web.url)
            assert (0, 0, 0) == session.network.pool.counts


@pytest.mark.only_in("blocking")
def test_what_a_session_was_told_survives_pickling(web: Web) -> None:
    """Where to connect to, from where, and what must be shown."""
    pins = "0" * 64
    with (
        gofer.Session(
            resolve={"a.example": f"127.0.0.1:{web.port}"},
            socket_options=[(socket.SOL_SOCKET, socket.SO_PRIORITY, 3)],
            source_address="127.0.0.1",
            pins=pins,
        ) as first,
        pickle.loads(pickle.dumps(first)) as session,
    ):
        assert 200 == session.get("http://a.example/get").status_code
        route = session._settings_now_().router.route(parse("https://a.example/"), None)
        assert ((pins,), ("127.0.0.1", 0)) == (route.pins, route.source_address)
        assert ((socket.SOL_SOCKET, socket.SO_PRIORITY, 3),) == route.socket_options
    with pickle.loads(pickle.dumps(gofer.Session(unix_socket="/nowhere"))) as session:
        with pytest.raises(gofer.exceptions.ConnectionRefused, match="/nowhere"):
            session.get(web.url)


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize(
    "wrong",
    [5, "a.example", {5: "127.0.0.1"}, {"": "127.0.0.1"}, {"a": 5}, {"a": ""}, {"a": "b:x"},
     {"a": "b:0"}, {"a": "b:65536"}, {"a": ["127.0.0.1", None]}, {"a": "1:2:3"},
     {"a:x": "127.0.0.1"}, {"a:0": "127.0.0.1"}, {"a:65536": "127.0.0.1"}, {"a:": "127.0.0.1"},
     {"[::1": "127.0.0.1"}, {"[::1]80": "127.0.0.1"}, {"1:2:3": "127.0.0.1"},
     {"a b": "127.0.0.1"}, {"a..b": "127.0.0.1"}, {"a": "b c"}, {"a": "http://127.0.0.1"},
     {"a": "[::1"}, {"a": "b:" + "9" * 5000}],
    ids=repr,
)  # fmt: skip
def test_mistakes_are_named(wrong: Any) -> None:
    """When the session is made."""
    with pytest.raises((TypeError, ValueError), match="resolve"):
        gofer.Session(resolve=wrong)


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("*.example.com", "'host' or 'host:port'; many hosts need a callable"),
        ("http://me:secret@a.example.com", "'host' or 'host:port': no scheme and no path"),
        ("a.example.com/", "'host' or 'host:port': no scheme and no path"),
    ],
)
def test_keys_that_no_host_would_match_are_named(key: str, words: str) -> None:
    """What was meant can be said in another way."""
    with pytest.raises(ValueError, match=words) as caught:
        gofer.Session(resolve={key: "127.0.0.1"})
    assert "secret" not in str(caught.value)


def test_options_of_the_socket_are_set(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it connects, and beside gofer's own."""
    seen: list[Any] = []
    connect = socket.socket.connect_ex

    def watched(self: socket.socket, address: Any) -> int:
        seen.append(self.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY))
        seen.append(self.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect_ex", watched)
    options = [(socket.SOL_SOCKET, socket.SO_PRIORITY, 3)]
    with gofer.Session(socket_options=options) as session:
        assert 200 == session.get(web.url + "/get").status_code
    assert [3, 1] == seen[:2]


@pytest.mark.only_in("blocking")
def test_wrong_options_are_named() -> None:
    """At once."""
    for wrong in ([5], [(1, 2)], ["abcd"]):
        with pytest.raises(TypeError, match="socket_options"):
            gofer.Session(socket_options=wrong)


# Where a session connects from ------------------------------------------------------------------


@pytest.mark.parametrize("through", ["nothing", "a proxy"])
def test_a_source_that_is_not_ours_is_named(web: Web, through: str) -> None:
    """The address to connect to is not what is wrong."""
    proxies = {"http": web.url} if through == "a proxy" else {}
    with gofer.Session(source_address=("203.0.113.9", 4000), proxies=proxies) as session:
        with pytest.raises(gofer.ConnectionError, match=r"from 203\.0\.113\.9:4000: "):
            session.get(web.url + "/get")


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="Linux only")
def test_options_that_may_be_wrong_are_mentioned(web: Web) -> None:
    card = (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"nosuchcard")
    with gofer.Session(socket_options=[card]) as session:
        with pytest.raises(gofer.ConnectionError, match="with socket_options: "):
            session.get(web.url + "/get")


def test_a_source_may_have_a_zone() -> None:
    """Without it there is no way to connect from a link-local address."""
    _, card = socket.if_nameindex()[0]
    with serve(always(response(b"hello")), family=socket.AF_INET6) as server:
        with gofer.Session(source_address=(f"::1%{card}", 0)) as session:
            assert session.get(server.url).content == b"hello"
        with gofer.Session(source_address="::1%nosuchcard") as session:
            with pytest.raises(gofer.ConnectionError, match="from ::1%nosuchcard: "):
                session.get(server.url)


@pytest.mark.parametrize("wrong", [("127.0.0.1", None), ("127.0.0.1", "80"), (1, 2), 5, ("a",)])
def test_a_source_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="source_address"):
        gofer.Session(source_address=wrong)
