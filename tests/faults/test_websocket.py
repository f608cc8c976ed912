"""WebSockets whose server is not what it should be (RFC 6455): scripted openings and frames.

Whatever it does ends in a named error in bounded time and memory, and the session goes on. When it
is silent, or says too much, is in `test_websocket_waiting.py`.
"""

import asyncio

import pytest
from websockets.frames import Opcode

import gofer
from faults.conftest import world
from faults.meeting import Meet, end_of, meet
from gofer.exceptions import (
    ConnectionLost,
    FieldSectionTooLarge,
    HTTPError,
    ReadTimeout,
    RemoteProtocolError,
    WebSocketClosed,
)
from servers.frames import DATA, END_STREAM, HEADERS, RST_STREAM, Frames
from servers.raw import Peer, Server, always, response, serve
from servers.raw_websocket import (
    CLOSE_1000,
    Then,
    deflated,
    flooding,
    opening,
    receive_frame,
    speaking,
    url_of,
)
from servers.websocket import frame

__all__ = ["meet", "world"]

pytestmark = pytest.mark.usefixtures("world")

ASYNCIO = pytest.mark.only_in("blocking")  # it runs a loop of its own

ENABLE_CONNECT_PROTOCOL = 0x8  # a setting (RFC 8441, 3)


# The opening --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"sec_websocket_accept": None},
        {"sec_websocket_accept": b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {"upgrade": b"h2c"},
        {"upgrade": None},
        {"connection": b"close"},
        {"sec_websocket_protocol": b"never-offered"},
        {"sec_websocket_extensions": b"x-unknown"},
        {"sec_websocket_extensions": b"permessage-deflate; server_max_window_bits=99"},
        {"sec_websocket_extensions": b"permessage-deflate, permessage-deflate"},
        {"sec_websocket_extensions": b";;;"},
    ],
    ids=str,
)
def test_an_answer_that_does_not_fit(
    changes: dict[str, bytes | None], session: gofer.Session
) -> None:
    def script(peer: Peer) -> None:
        peer.send(opening(peer, **changes))
        peer.wait_closed()

    with serve(script) as server:
        with pytest.raises(RemoteProtocolError) as caught:
            session.websocket(url_of(server))
    assert caught.value.response.status_code == 101


def test_switching_unasked(session: gofer.Session) -> None:
    """Only who asks for another protocol is given one."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")

    with serve(script) as server, pytest.raises(RemoteProtocolError, match="101"):
        session.get(server.url)


def test_an_opening_that_never_ends(session: gofer.Session) -> None:
    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        with pytest.raises(OSError):
            while True:
                peer.send(b"x: " + b"y" * 10000 + b"\r\n")

    with serve(script) as server, pytest.raises(FieldSectionTooLarge):
        session.websocket(url_of(server))


def test_an_opening_that_does_not_come(session: gofer.Session) -> None:
    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.wait_closed()

    with serve(script) as server, pytest.raises(ReadTimeout):
        session.websocket(url_of(server), timeout=gofer.Timeouts(read=0.1))
    with serve(lambda peer: peer.receive_head() and None) as server:  # type: ignore[func-returns-value]
        with pytest.raises(ConnectionLost):
            session.websocket(url_of(server))


def test_an_answer_byte_by_byte(session: gofer.Session) -> None:
    def script(peer: Peer) -> None:
        peer.drip(opening(peer) + frame(Opcode.TEXT, b"a") + CLOSE_1000)
        peer.wait_closed()

    with serve(script) as server, session.websocket(url_of(server)) as socket:
        assert list(socket) == ["a"]


@ASYNCIO
def test_one_that_is_given_up_while_it_is_opened() -> None:
    """Is open for nobody."""

    def script(peer: Peer) -> None:
        answer = opening(peer)
        peer.wait("given up")
        peer.send(answer)
        peer.wait_closed()

    async def main(server: Server) -> None:
        async with gofer.AsyncSession() as session:
            socket = session.websocket(url_of(server))
            entering = asyncio.ensure_future(socket.__aenter__())
            while not server.requests:
                await asyncio.sleep(0.001)
            socket.abort()
            server.gates["given up"].set()
            await entering
            assert "we let go of it" in str(socket.closed)
            with pytest.raises(WebSocketClosed, match="we let go of it"):
                await socket.send("a")

    with serve(script) as server:
        asyncio.run(main(server))


@ASYNCIO
def test_the_content_of_another_answer_is_there() -> None:
    """As of any that is awaited, however long it is."""

    async def main(server: Server) -> None:
        async with gofer.AsyncSession() as session:
            with pytest.raises(HTTPError, match="got 403") as caught:
                await session.websocket(url_of(server))
            assert len(caught.value.response.content) == 1_000_000

    with serve(always(response(b"x" * 1_000_000, status="403 Forbidden"))) as server:
        asyncio.run(main(server))


# Frames -------------------------------------------------------------------------------------------

MASKED = b"\x81\x81\x00\x00\x00\x00a"
NOT_ALLOWED = {
    "masked": (MASKED, 1002),
    "reserved bit": (b"\xc1\x01a", 1002),
    "reserved opcode": (b"\x83\x01a", 1002),
    "reserved control opcode": (b"\x8b\x01a", 1002),
    "ping in pieces": (b"\x09\x01a", 1002),
    "ping too long": (b"\x89\x7e\x00\x80" + b"a" * 128, 1002),
    "continuation of nothing": (frame(Opcode.CONT, b"a"), 1002),
    "two messages at once": (
        frame(Opcode.TEXT, b"a", fin=False) + frame(Opcode.TEXT, b"b"),
        1002,
    ),
    "close with half a code": (frame(Opcode.CLOSE, b"\x03"), 1002),
    "close with a code that may not be sent": (frame(Opcode.CLOSE, b"\x03\xee"), 1002),
    "close with a reason that is not UTF-8": (frame(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
    "text that is not UTF-8": (frame(Opcode.TEXT, b"\xff"), 1007),
    "text that ends inside a character": (frame(Opcode.TEXT, "é".encode()[:1]), 1007),
    "too large": (b"\x82\x7f" + (1 << 62).to_bytes(8), 1009),
    "too large in pieces": (
        frame(Opcode.BINARY, b"a" * 600, fin=False) + frame(Opcode.CONT, b"a" * 600),
        1009,
    ),
    "a length over 63 bits": (b"\x82\x7f" + b"\xff" * 8, 1009),
}


@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_frames_against_the_rules(name: str, session: gofer.Session) -> None:
    """The peer is told why, by a code, and so is the caller."""
    data, code = NOT_ALLOWED[name]
    told = []

    def listen(peer: Peer) -> None:
        told.append(receive_frame(peer))

    with speaking(data, listen) as server:
        socket = session.websocket(url_of(server), max_message=1000)
        with pytest.raises(WebSocketClosed, match="broke the rules") as caught:
            socket.receive()
        assert caught.value.code == code
        with pytest.raises(WebSocketClosed):
            socket.send("a")
        socket.close()
    [(kind, payload)] = told
    assert kind == Opcode.CLOSE
    assert payload[:2] == code.to_bytes(2)


def test_messages_before_the_fault_are_received(meet: Meet) -> None:
    socket = meet(frame(Opcode.TEXT, b"a") + MASKED)
    assert socket.receive() == "a"
    assert "broke the rules" in str(end_of(socket))


@pytest.mark.parametrize(
    "fault", [frame(Opcode.TEXT, b"\xff"), frame(Opcode.PING, b"") * 2000], ids=["text", "flood"]
)
def test_messages_behind_a_fault_are_not(fault: bytes, meet: Meet) -> None:
    """Also if they came with it."""
    assert "broke the rules" in str(end_of(meet(fault + frame(Opcode.TEXT, b"a"))))


def test_a_bomb(meet: Meet) -> None:
    """A small frame that would decode to a gigabyte."""
    socket = meet(deflated(bytes(1 << 28)), extensions=b"permessage-deflate")
    assert end_of(socket).code == 1009


def test_deflate_that_is_none(meet: Meet) -> None:
    socket = meet(b"\xc1\x05\xff\xff\xff\xff\xff", extensions=b"permessage-deflate")
    assert "broke the rules" in str(end_of(socket))


@pytest.mark.parametrize(
    ("data", "piece"),
    [
        (b"", frame(Opcode.PING, b"") * 100),
        (b"", frame(Opcode.PONG, b"x" * 100) * 100),
        (frame(Opcode.TEXT, b"", fin=False), frame(Opcode.CONT, b"", fin=False) * 100),
    ],
    ids=["pings", "pongs", "empty pieces"],
)
def test_a_flood_that_says_nothing(data: bytes, piece: bytes, meet: Meet) -> None:
    end = end_of(meet(data, flooding(piece)))
    assert "lead nowhere" in str(end)
    assert end.code == 1008


# Its end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [Peer.close, Peer.reset, Peer.half_close], ids=lambda e: e.__name__)
@pytest.mark.parametrize(
    "data", [b"", b"\x81", frame(Opcode.TEXT, b"a" * 100)[:50]], ids=["between", "head", "inside"]
)
def test_cut_off(data: bytes, end: Then, meet: Meet) -> None:
    socket = meet(data, end)
    assert end_of(socket).code == 1006
    with pytest.raises(WebSocketClosed):
        socket.send("a")


def test_a_goodbye_without_an_end(meet: Meet) -> None:
    """Who says goodbye has to hang up; we do not wait for it for long."""
    with meet(CLOSE_1000) as socket:
        assert list(socket) == []


@pytest.mark.parametrize("is_first", [True, False], ids=["we", "the peer"])
def test_on_a_shared_connection_nothing_follows_a_goodbye(
    is_first: bool, session: gofer.Session
) -> None:
    """Not an end of its own: hypercorn has forgotten the stream by then, and ends them all."""
    came: list[tuple[int, int]] = []

    def script(peer: Peer) -> None:
        http = Frames(peer, {ENABLE_CONNECT_PROTOCOL: 1})
        _, _, stream, _ = http.receive_until(HEADERS)
        http.send_head(stream, 200)
        if not is_first:
            http.send(DATA, 0, stream, CLOSE_1000)
        while not came or came[-1][0] != RST_STREAM:
            kind, flags, _, data = http.receive_until(DATA, RST_STREAM, stream=stream)
            came.append((kind, flags))
            if is_first and data[:1] == b"\x88":
                http.send(DATA, 0, stream, CLOSE_1000)  # and no END_STREAM
        http.answer(http.receive_request())
        peer.wait_closed()

    with serve(script) as server:
        config = {"http2": "prior knowledge"}
        socket = session.websocket(url_of(server), config=config)
        if is_first:
            socket.close()
        else:
            assert list(socket) == []
        assert session.get(server.url, config=config).text == "next"
        assert server.accepted == 1
    assert came == [(DATA, END_STREAM), (RST_STREAM, 0)]


def test_a_goodbye_that_is_not_answered(meet: Meet) -> None:
    socket = meet()
    socket.close(timeout=0.1)
    assert "we closed it" in str(socket.closed)


def test_a_goodbye_without_a_code(meet: Meet) -> None:
    """Is one like any other."""
    with meet(frame(Opcode.TEXT, b"a") + frame(Opcode.CLOSE, b"")) as socket:
        assert list(socket) == ["a"]
    assert end_of(socket).code == 1005


def test_more_behind_a_goodbye(meet: Meet) -> None:
    with meet(CLOSE_1000 + frame(Opcode.TEXT, b"too late") + MASKED) as socket:
        assert list(socket) == []
