"""WebSockets, in every world, over HTTP/1.1; and over HTTP/2 and HTTP/3 with those options."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import gofer
from gofer.exceptions import (
    HTTPError,
    LocalProtocolError,
    ReadTimeout,
    RemoteProtocolError,
    WebSocketClosed,
)
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.socks import Socks
from servers.web import Web
from servers.web2 import Web2
from threads import beside
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

THREADS = ASYNCIO = pytest.mark.only_in("blocking")  # threads that share one; a loop of its own


@pytest.fixture
def url(web: Web) -> str:
    """Of a WebSocket that echoes, and takes orders: see `servers/websocket.py`."""
    return f"{web.url}/websocket"


@pytest.fixture
def socket(session: gofer.Session, url: str) -> Iterator[gofer.WebSocket]:
    """One that is open, and is closed at the end."""
    with session.websocket(url) as socket:
        yield socket


def echoes(socket: gofer.WebSocket, message: str | bytes = "a") -> bool:
    """True if a message comes back as it was sent: it is open, both ways."""
    socket.send(message)
    return socket.receive() == message


# Messages -----------------------------------------------------------------------------------------


def test_messages_both_ways(socket: gofer.WebSocket) -> None:
    assert echoes(socket, "grüße")
    assert echoes(socket, b"\x00\xff")
    assert echoes(socket, "")
    socket.send(bytearray(b"abc"))
    assert socket.receive() == b"abc"
    socket.send_json({"n": 1})
    assert socket.receive_json() == {"n": 1}


def test_it_says_how_it_is(web: Web, socket: gofer.WebSocket) -> None:
    assert socket.closed is None
    assert repr(socket) == f"<WebSocket {web.url.partition('//')[2]}, open>"

    socket.close()

    assert socket.closed is not None
    assert socket.closed.code == 1000
    assert "is closed" in repr(socket)


def test_the_opening_says_how_it_is_spoken(web: Web, socket: gofer.WebSocket) -> None:
    """101 gives a connection over (RFC 9110, 7.8); 200 a stream of one (RFC 8441)."""
    [request] = web.requests
    version = request.http_version
    assert socket.response.status_code == {"1.1": 101, "2": 200, "3": 200}[version]
    assert request.field("sec-websocket-version") == "13"
    assert (request.field("sec-websocket-key") is not None) is (version == "1.1")


def test_the_scheme_may_be_ws(url: str, session: gofer.Session) -> None:
    with session.websocket(url.replace("http", "ws", 1)) as socket:
        assert echoes(socket)


@pytest.mark.parametrize("compress", [True, False])
def test_large_messages(url: str, session: gofer.Session, compress: bool) -> None:
    with session.websocket(url, compress=compress) as socket:
        for _ in range(3):
            assert echoes(socket, "0123456789" * 200_000)
        extensions = socket.response.headers.get("sec-websocket-extensions", "")
        assert ("permessage-deflate" in extensions) is compress


def test_a_message_in_pieces_is_one(socket: gofer.WebSocket) -> None:
    socket.send("!pieces ab c def")
    assert socket.receive() == "abcdef"


def test_what_comes_with_the_answer_is_not_lost(url: str, session: gofer.Session) -> None:
    with session.websocket(f"{url}?hello=3") as socket:
        assert [socket.receive() for _ in range(3)] == ["hello 0", "hello 1", "hello 2"]


def test_both_sides_send_at_once(url: str, session: gofer.Session) -> None:
    """Neither waits for the other to receive first."""
    with session.websocket(url, compress=False) as socket:
        socket.send("!many 60 100000")
        socket.send(b"y" * 8_000_000)
        assert sum(len(socket.receive()) for _ in range(60)) == 6_000_000
        assert len(socket.receive()) == 8_000_000


@THREADS
def test_one_thread_receives_while_another_sends(socket: gofer.WebSocket) -> None:
    received: list[Any] = []

    def receive() -> None:
        received.extend(socket.receive() for _ in range(200))

    with beside(receive):
        for number in range(200):
            socket.send(str(number))
    assert received == [str(number) for number in range(200)]


@THREADS
@pytest.mark.parametrize("others", [0, 2])
def test_one_thread_lets_go_while_others_receive(
    others: int, url: str, web: Web, session: gofer.Session
) -> None:
    """They are woken, whoever of them reads for all."""
    socket = session.websocket(f"{url}?hello=1", heartbeat=None)
    has_begun = threading.Event()

    def receive() -> None:
        with pytest.raises(WebSocketClosed, match="we let go of it"):
            while True:
                socket.receive()
                has_begun.set()

    with beside(*[receive] * (1 + others)):
        has_begun.wait()
        socket.abort()
    assert session.get(f"{web.url}/get").ok


@THREADS
def test_several_threads_receive(socket: gofer.WebSocket) -> None:
    """Each message comes to one of them."""
    received: list[Any] = []

    def receive() -> None:
        received.extend(socket)

    with beside(*[receive] * 4):
        for number in range(100):
            socket.send(str(number))
        socket.send("!close 1000")
    assert sorted(received, key=int) == [str(number) for number in range(100)]


def test_what_is_no_message(socket: gofer.WebSocket) -> None:
    with pytest.raises(TypeError, match="got int, expected str or bytes"):
        socket.send(1)  # type: ignore[arg-type]
    socket.send("not json")
    with pytest.raises(json.JSONDecodeError):
        socket.receive_json()


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"heartbeat": -1}, ValueError, "heartbeat must be"),
        ({"heartbeat": "x"}, ValueError, "heartbeat must be"),
        ({"max_message": -5}, ValueError, "max_message must be"),
        ({"max_message": 1.5}, ValueError, "max_message must be"),
        ({"subprotocols": "chat"}, TypeError, "expected a list"),
        ({"subprotocols": ["a b"]}, ValueError, "expected a token"),
        ({"subprotocols": ["a", "a"]}, ValueError, "twice"),
        ({"subprotocols": [1]}, TypeError, "expected str"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(
    options: dict[str, Any],
    error: type[Exception],
    words: str,
    url: str,
    web: Web,
    session: gofer.Session,
) -> None:
    """Is said at once."""
    with pytest.raises(error, match=words):
        session.websocket(url, **options)
    assert web.requests == []


@pytest.mark.parametrize("timeout", [-1, "x", True])
def test_no_limit_of_time(timeout: Any, socket: gofer.WebSocket) -> None:
    for wait in (socket.receive, socket.receive_json, socket.ping, socket.close):
        with pytest.raises(ValueError, match="timeout must be"):
            wait(timeout=timeout)
    assert echoes(socket)


# The opening is a request -------------------------------------------------------------------------


def test_cookies_fields_and_credentials_go_with_it(
    url: str, web: Web, session: gofer.Session
) -> None:
    session.cookies.set("a", "1")
    with session.websocket(
        url, params={"q": "x y"}, headers={"X-Own": "1"}, auth=("user", "secret")
    ) as socket:
        [request] = web.requests
    assert request.cookies == {"a": "1"}
    assert request.field("x-own") == "1"
    assert request.field("authorization") == "Basic dXNlcjpzZWNyZXQ="
    assert request.option("q") == "x y"
    assert socket.response.request.url == f"{url}?q=x+y"


def test_redirects_are_followed(url: str, web: Web, session: gofer.Session) -> None:
    target = url.replace("http", "ws", 1)
    with session.websocket(f"{web.url}/redirect-to", params={"url": target}) as socket:
        assert echoes(socket)
        assert [answer.status_code for answer in socket.response.history] == [302]


def test_subprotocols(url: str, session: gofer.Session) -> None:
    with session.websocket(
        f"{url}?protocols=chat,superchat", subprotocols=["superchat", "other"]
    ) as socket:
        assert socket.subprotocol == "superchat"


def test_another_answer_is_an_error(web: Web, session: gofer.Session) -> None:
    with pytest.raises(HTTPError, match="got 404 .*, expected a WebSocket") as caught:
        session.websocket(f"{web.url}/status/404")
    assert caught.value.response.status_code == 404
    if web.requests[-1].http_version == "1.1":  # elsewhere any 2xx agrees
        with pytest.raises(HTTPError, match="got 200 OK") as caught:
            session.websocket(f"{web.url}/get")
        assert caught.value.response.json()["url"] == f"{web.url}/get"


def test_over_tls(web_tls: Web, certificates: Certificates) -> None:
    with gofer.Session(verify=certificates.ca_file) as session:
        with session.websocket(f"{web_tls.url}/websocket") as socket:
            assert echoes(socket, b"x" * 300_000)
            assert socket.response.tls is not None


@pytest.mark.http1
def test_a_connection_that_is_there_is_shared(web_tls: Web, certificates: Certificates) -> None:
    """Without HTTP/2 that others have begun, a WebSocket has a connection of HTTP/1.1."""
    with gofer.Session(verify=certificates.ca_file) as session:
        with session.websocket(f"{web_tls.url}/websocket") as first:
            session.get(f"{web_tls.url}/get")
            with session.websocket(f"{web_tls.url}/websocket") as second:
                for socket in (first, second):
                    assert echoes(socket)
                    session.get(f"{web_tls.url}/get")
                versions = [request.http_version for request in web_tls.requests]
        assert versions == ["1.1", "2", "2", "2", "2"]
        assert web_tls.accepted == 2


@pytest.mark.http1
def test_a_server_may_not_let_it_be_over_http2() -> None:
    with Web2() as server:
        server.takes_websockets = False
        with gofer.Session(config={"http2": "prior knowledge"}) as session:
            with pytest.raises(RemoteProtocolError, match="RFC 8441"):
                session.websocket(f"{server.url}/websocket")
            assert session.get(f"{server.url}/get").ok
        assert server.accepted == 1


@pytest.mark.http1
def test_through_a_proxy_it_has_a_tunnel(
    web: Web, proxy: Proxy, web_tls: Web, certificates: Certificates
) -> None:
    with gofer.Session(proxies={"all": proxy.url}, verify=certificates.ca_file) as session:
        for server in (web, web_tls):
            with session.websocket(f"{server.url}/websocket") as socket:
                assert echoes(socket)
    assert proxy.tunnels == [f"127.0.0.1:{web.port}", f"127.0.0.1:{web_tls.port}"]


@pytest.mark.http1
def test_through_a_proxy_with_tls_inside_of_tls(web_tls: Web, certificates: Certificates) -> None:
    with (
        Proxy(tls=certificates.good) as proxy,
        gofer.Session(proxies={"all": proxy.url}, verify=certificates.ca_file) as session,
        session.websocket(f"{web_tls.url}/websocket", compress=False) as socket,
    ):
        socket.send("!many 20 100000")
        socket.send(b"y" * 2_000_000)
        assert sum(len(socket.receive()) for _ in range(21)) == 4_000_000


@pytest.mark.http1
def test_through_socks(url: str) -> None:
    with (
        Socks() as socks,
        gofer.Session(proxies={"all": f"socks5://127.0.0.1:{socks.port}"}) as session,
        session.websocket(url) as socket,
    ):
        assert echoes(socket)


@pytest.mark.http1
def test_keep_alive_may_be_off(url: str) -> None:
    with (
        gofer.Session(config={"keep_alive": False}) as session,
        session.websocket(url) as socket,
    ):
        assert echoes(socket)


# Its end ------------------------------------------------------------------------------------------


def test_iteration_ends_with_the_conversation(url: str, session: gofer.Session) -> None:
    with session.websocket(f"{url}?hello=2") as socket:
        socket.send("!close 1001 enough")
        assert list(socket) == ["hello 0", "hello 1"]
    assert socket.closed is not None
    assert (socket.closed.code, socket.closed.reason) == (1001, "enough")


def test_an_end_that_is_none(socket: gofer.WebSocket) -> None:
    socket.send("!close 4000 no more")
    with pytest.raises(WebSocketClosed, match="code 4000") as caught:
        list(socket)
    assert (caught.value.code, caught.value.reason) == (4000, "no more")
    assert caught.value.response is socket.response
    with pytest.raises(WebSocketClosed, match="code 4000"):
        socket.send("a")
    with pytest.raises(WebSocketClosed, match="code 4000"):
        socket.ping()


def test_a_connection_that_breaks(socket: gofer.WebSocket) -> None:
    socket.send("!drop")
    with pytest.raises(WebSocketClosed) as caught:
        socket.receive()
    assert caught.value.code == 1006


def test_closing(web: Web, session: gofer.Session, socket: gofer.WebSocket) -> None:
    """What has come by then is not received any more; once is enough."""
    socket.send("one that nobody receives")
    socket.close(4001, "bye")
    socket.close()
    assert socket.closed is not None
    assert socket.closed.code == 4001
    with pytest.raises(WebSocketClosed):
        socket.receive()
    assert session.get(f"{web.url}/get").ok


def test_a_goodbye_that_may_not_be_said(socket: gofer.WebSocket) -> None:
    """The conversation goes on."""
    with pytest.raises(ValueError, match="code"):
        socket.close(1006)
    with pytest.raises(ValueError, match="reason is too long"):
        socket.close(1000, "x" * 200)
    assert echoes(socket)


def test_letting_go(url: str, web: Web, session: gofer.Session) -> None:
    socket = session.websocket(url)
    socket.abort()
    socket.abort()
    with pytest.raises(WebSocketClosed, match="we let go of it"):
        socket.receive()
    with pytest.raises(KeyError), session.websocket(url) as socket:
        raise KeyError  # nobody waits for a goodbye then
    assert session.get(f"{web.url}/get").ok  # over QUIC, what was lost is sent again with this
    web.wait_for(lambda: web.in_flight == 0)


def test_one_that_is_dropped(url: str, web: Web, session: gofer.Session) -> None:
    socket = session.websocket(url)
    socket.send("a")
    del socket
    assert session.get(f"{web.url}/get").ok
    web.wait_for(lambda: web.in_flight == 0)


# Time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, 0.02])
def test_waiting_may_have_an_end(timeout: float, socket: gofer.WebSocket) -> None:
    with pytest.raises(ReadTimeout, match="none came"):
        socket.receive(timeout=timeout)
    socket.send("a")
    assert socket.receive(timeout=5) == "a"


def test_pings(socket: gofer.WebSocket) -> None:
    socket.send("a")
    assert 0 < socket.ping() < 10
    assert socket.receive() == "a"
    socket.send("!ping")
    assert socket.receive() == "pong"


def test_a_heartbeat_keeps_it_alive(url: str, session: gofer.Session) -> None:
    """The peer is asked, and answers, as often as it takes."""
    with session.websocket(url, heartbeat=0.5) as socket:
        with pytest.raises(ReadTimeout):
            socket.receive(timeout=1.2)
        assert echoes(socket)


@pytest.mark.parametrize("limit", ["deadline", "timeout"])
def test_limits_of_time_are_for_the_opening(limit: str, url: str, session: gofer.Session) -> None:
    with session.websocket(url, **{limit: 1}) as socket:  # type: ignore[arg-type]
        with pytest.raises(ReadTimeout):
            socket.receive(timeout=1.1)
        assert echoes(socket)


# AsyncSession -------------------------------------------------------------------------------------


def awaited(main: Callable[[gofer.AsyncSession], Coroutine[Any, Any, None]]) -> None:
    """Run `main` with a session."""

    async def with_session() -> None:
        async with gofer.AsyncSession() as session:
            await main(session)

    asyncio.run(with_session())


@ASYNCIO
def test_messages_are_awaited(url: str) -> None:
    async def main(session: gofer.AsyncSession) -> None:
        async with session.websocket(url) as socket:
            sending = asyncio.gather(*[socket.send(str(n)) for n in range(100)])
            received = [await socket.receive() for _ in range(100)]
            await sending
            assert received == [str(n) for n in range(100)]
            await socket.send("!close 1000")
            assert [message async for message in socket] == []

    awaited(main)


@ASYNCIO
def test_whoever_is_cancelled_can_go_on(url: str) -> None:
    async def main(session: gofer.AsyncSession) -> None:
        async with session.websocket(url) as socket:
            waiting = asyncio.ensure_future(socket.receive())
            for _ in range(3):  # as far as it gets without us
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await socket.send("after a cancellation")
            assert await socket.receive() == "after a cancellation"

    awaited(main)


@ASYNCIO
def test_one_that_is_not_open_yet(url: str) -> None:
    """Says what is missing; `close` has nothing to do."""

    async def main(session: gofer.AsyncSession) -> None:
        socket = session.websocket(url)
        with pytest.raises(WebSocketClosed, match="not open yet: await it"):
            await socket.send("a")
        assert "not open yet" in repr(socket)
        await socket.close()
        assert socket.closed is None
        async with socket:
            await socket.send("a")
            assert await socket.receive() == "a"

    awaited(main)


@ASYNCIO
def test_one_that_is_given_up_before_it_is_open(url: str, web: Web) -> None:
    """Is not opened any more."""

    async def main(session: gofer.AsyncSession) -> None:
        socket = session.websocket(url)
        socket.abort()
        async with socket:
            with pytest.raises(WebSocketClosed, match="we let go of it"):
                await socket.receive()
        assert "we let go of it" in str(socket.closed)

    awaited(main)
    assert web.requests == []


@ASYNCIO
def test_each_world_has_its_own_iteration(url: str, socket: gofer.WebSocket) -> None:
    async def main(session: gofer.AsyncSession) -> None:
        with pytest.raises(TypeError, match="not iterable"):
            iter(session.websocket(url))  # type: ignore[call-overload]

    awaited(main)
    with pytest.raises(TypeError, match="not an async iterable"):
        aiter(socket)  # type: ignore[arg-type]


@pytest.mark.only_in("blocking")
@pytest.mark.http1
def test_http3_needs_https(session: gofer.Session) -> None:
    with pytest.raises(LocalProtocolError, match="https only"):
        session.websocket("ws://127.0.0.1:1/", config={"http3": "prior knowledge"})
