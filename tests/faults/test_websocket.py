"""WebSockets whose server is not what it should be (RFC 6455): scripted openings and frames.

Whatever it does ends in a named error in bounded time and memory, and the session goes on.
"""

import asyncio
import contextlib
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from websockets.frames import Opcode
from websockets.utils import accept_key

import gofer
from faults.conftest import world
from gofer.exceptions import (
    ConnectionLost,
    FieldSectionTooLarge,
    ReadTimeout,
    RemoteProtocolError,
    WebSocketClosed,
    WriteTimeout,
)
from servers.certificates import Certificates
from servers.frames import DATA, END_STREAM, HEADERS, RST_STREAM, WINDOW_UPDATE, Frames
from servers.raw import Peer, Server, serve
from servers.websocket import frame

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

ASYNCIO = pytest.mark.only_in("blocking")  # it runs a loop of its own

ENABLE_CONNECT_PROTOCOL = 0x8  # a setting (RFC 8441, 3)

CLOSE_1000 = frame(Opcode.CLOSE, b"\x03\xe8")


def opening(
    peer: Peer, *, status: bytes = b"101 Switching Protocols", **changes: bytes | None
) -> bytes:
    """The answer to the request on `peer`, with `changes` to its fields."""
    head = peer.receive_head()
    key = next(
        line.partition(b": ")[2]
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    fields: dict[str, bytes | None] = {
        "upgrade": b"websocket",
        "connection": b"Upgrade",
        "sec_websocket_accept": accept_key(key.decode()).encode(),
        **changes,
    }
    lines = [
        name.replace("_", "-").encode() + b": " + value
        for name, value in fields.items()
        if value is not None
    ]
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""])


def speaking(data: bytes, then: Callable[[Peer], Any] = Peer.wait_closed) -> Server:
    """A server that opens the WebSocket, sends `data` and goes on with `then`."""

    def script(peer: Peer) -> None:
        peer.send(opening(peer) + data)
        then(peer)

    return serve(script)


def receive_frame(peer: Peer) -> tuple[int, bytes]:
    """The next frame on `peer`: its opcode, and what it carries."""
    first, length = peer.receive_exactly(2)
    size = length & 127
    if size > 125:
        size = int.from_bytes(peer.receive_exactly(2 if size == 126 else 8))
    mask = peer.receive_exactly(4)
    data = peer.receive_exactly(size)
    return first & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def url_of(server: Server) -> str:
    return server.url.replace("http", "ws", 1)


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
        told.append(peer.receive_to_end())

    with speaking(data, listen) as server:
        socket = session.websocket(url_of(server), max_message=1000)
        with pytest.raises(WebSocketClosed, match="broke the rules") as caught:
            socket.receive()
        assert caught.value.code == code
        with pytest.raises(WebSocketClosed):
            socket.send("a")
        socket.close()
    [last] = told
    assert last[:1] == b"\x88"
    mask, payload = last[2:6], last[6:8]
    assert bytes(a ^ b for a, b in zip(payload, mask, strict=False)) == code.to_bytes(2)


def test_messages_before_the_fault_are_received(session: gofer.Session) -> None:
    with speaking(frame(Opcode.TEXT, b"a") + MASKED) as server:
        socket = session.websocket(url_of(server))
        assert socket.receive() == "a"
        with pytest.raises(WebSocketClosed, match="broke the rules"):
            socket.receive()


def test_a_bomb(session: gofer.Session) -> None:
    """A small frame that would decode to a gigabyte."""
    deflate = zlib.compressobj(9, wbits=-15)
    packed = deflate.compress(bytes(1 << 28)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    data = frame(Opcode.BINARY, packed[:-4])
    data = bytes([data[0] | 0x40]) + data[1:]

    def script(peer: Peer) -> None:
        peer.send(opening(peer, sec_websocket_extensions=b"permessage-deflate"))
        peer.send(data)
        peer.wait_closed()

    with serve(script) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed) as caught:
            socket.receive()
        assert caught.value.code == 1009


def test_deflate_that_is_none(session: gofer.Session) -> None:
    def script(peer: Peer) -> None:
        peer.send(opening(peer, sec_websocket_extensions=b"permessage-deflate"))
        peer.send(b"\xc1\x05\xff\xff\xff\xff\xff")
        peer.wait_closed()

    with serve(script) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed, match="broke the rules"):
            socket.receive()


@pytest.mark.parametrize(
    "piece",
    [
        frame(Opcode.PING, b"") * 100,
        frame(Opcode.PONG, b"x" * 100) * 100,
    ],
    ids=["pings", "pongs"],
)
def test_a_flood_that_says_nothing(piece: bytes, session: gofer.Session) -> None:
    def flood(peer: Peer) -> None:
        peer.socket.settimeout(10)
        with pytest.raises(OSError):
            while True:
                peer.send(piece)

    with speaking(b"", flood) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed, match="lead nowhere") as caught:
            socket.receive()
        assert caught.value.code == 1008


def test_a_flood_of_empty_pieces(session: gofer.Session) -> None:
    def flood(peer: Peer) -> None:
        with pytest.raises(OSError):
            while True:
                peer.send(frame(Opcode.CONT, b"", fin=False) * 100)

    with speaking(frame(Opcode.TEXT, b"", fin=False), flood) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed, match="lead nowhere"):
            socket.receive()


# Its end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [Peer.close, Peer.reset, Peer.half_close], ids=lambda e: e.__name__)
@pytest.mark.parametrize(
    "data", [b"", b"\x81", frame(Opcode.TEXT, b"a" * 100)[:50]], ids=["between", "head", "inside"]
)
def test_cut_off(data: bytes, end: Callable[[Peer], None], session: gofer.Session) -> None:
    with speaking(data, end) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed) as caught:
            socket.receive()
        assert caught.value.code == 1006
        with pytest.raises(WebSocketClosed):
            socket.send("a")


def test_a_goodbye_without_an_end(session: gofer.Session) -> None:
    """Who says goodbye has to hang up; we do not wait for it for long."""
    with speaking(CLOSE_1000) as server, session.websocket(url_of(server)) as socket:
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


def test_a_goodbye_that_is_not_answered(session: gofer.Session) -> None:
    with speaking(b"") as server:
        socket = session.websocket(url_of(server))
        socket.close(timeout=0.1)
        assert socket.closed is not None
        assert "we closed it" in str(socket.closed)


def test_a_goodbye_without_a_code(session: gofer.Session) -> None:
    """Is one like any other."""
    data = frame(Opcode.TEXT, b"a") + frame(Opcode.CLOSE, b"")
    with speaking(data) as server, session.websocket(url_of(server)) as socket:
        assert list(socket) == ["a"]
        assert socket.closed is not None
        assert socket.closed.code == 1005


def test_more_behind_a_goodbye(session: gofer.Session) -> None:
    data = CLOSE_1000 + frame(Opcode.TEXT, b"too late") + MASKED
    with speaking(data) as server, session.websocket(url_of(server)) as socket:
        assert list(socket) == []


def test_no_sign_of_life_in_many_short_waits(session: gofer.Session) -> None:
    """What counts is when something was last heard."""
    with speaking(b"") as server:
        socket = session.websocket(url_of(server), heartbeat=0.1)
        with pytest.raises(WebSocketClosed, match="no sign of life"):
            for _ in range(1000):
                with contextlib.suppress(ReadTimeout):
                    socket.receive(timeout=0.03)
    assert server.received[0].count(b"\x89") >= 1


def test_a_sign_of_life_that_came_while_nobody_listened(session: gofer.Session) -> None:
    def answer(peer: Peer) -> None:
        _, data = receive_frame(peer)
        peer.wait("later")
        peer.send(frame(Opcode.PONG, data))
        peer.open("answered")
        while True:
            kind, data = receive_frame(peer)
            peer.send(frame(Opcode.PONG if kind == Opcode.PING else kind, data))

    with speaking(b"", answer) as server:
        socket = session.websocket(url_of(server), heartbeat=0.1)
        with pytest.raises(ReadTimeout):
            socket.receive(timeout=0.15)  # it is asked
        server.gates["later"].set()
        server.gates["answered"].wait()
        other = session.websocket(url_of(server), heartbeat=None)
        with pytest.raises(ReadTimeout):
            other.receive(timeout=0.2)  # it is time for the first to be taken for dead
        other.abort()
        with pytest.raises(ReadTimeout):
            socket.receive(timeout=0.01)
        socket.send("a")
        assert socket.receive() == "a"
        socket.abort()


def test_no_sign_of_life(session: gofer.Session) -> None:
    with speaking(b"") as server:
        socket = session.websocket(url_of(server), heartbeat=0.05)
        with pytest.raises(WebSocketClosed, match="no sign of life"):
            socket.receive()
    assert server.received[0].count(b"\x89") >= 1


def test_a_peer_that_takes_nothing(session: gofer.Session) -> None:
    """The conversation is over then: nobody knows how much of the message it has."""

    def ignore(peer: Peer) -> None:
        peer.wait("over")

    with speaking(b"", ignore) as server:
        socket = session.websocket(url_of(server), timeout=gofer.Timeouts(write=0.2))
        with pytest.raises(WriteTimeout, match="nothing was taken"):
            socket.send(b"x" * 30_000_000)
        with pytest.raises(WebSocketClosed, match="took nothing"):
            socket.receive()
        server.gates["over"].set()


@pytest.mark.parametrize("is_tls", [False, True], ids=["tcp", "tls"])
def test_a_peer_that_ends_and_takes_nothing(is_tls: bool, certificates: Certificates) -> None:
    """Its end is no news that has to be heard again and again: what is being sent ends with it."""

    def end(peer: Peer) -> None:
        peer.half_close()
        peer.wait("over")

    def script(peer: Peer) -> None:
        peer.send(opening(peer))
        end(peer)

    with (
        serve(script, tls=certificates.good if is_tls else None) as server,
        gofer.Session(verify=certificates.ca_file) as session,
    ):
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed) as caught:
            socket.send(b"x" * 30_000_000)
        assert caught.value.code == 1006
        server.gates["over"].set()


def test_a_peer_that_says_goodbye_and_takes_nothing(session: gofer.Session) -> None:
    """What it said is what whoever sends hears."""

    def ignore(peer: Peer) -> None:
        peer.wait("over")

    goodbye = frame(Opcode.CLOSE, b"\x0f\xa0no more")
    with speaking(goodbye, ignore) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed) as caught:
            socket.send(b"x" * 30_000_000)
        assert (caught.value.code, caught.value.reason) == (4000, "no more")
        server.gates["over"].set()


@pytest.mark.only_in("blocking", "hub", "trio", "gevent")
def test_a_peer_that_says_goodbye_and_is_gone(session: gofer.Session) -> None:
    """What it said is what whoever sends hears, not that nobody is there.

    asyncio's transports, which fail to write, do not read what has come.
    """
    goodbye = frame(Opcode.CLOSE, b"\x0f\xa0no more")

    def leave(peer: Peer) -> None:
        receive_frame(peer)
        peer.send(goodbye)
        peer.reset()

    with speaking(b"", leave) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed) as caught:
            for _ in range(100_000):
                socket.send("a")
        assert (caught.value.code, caught.value.reason) == (4000, "no more")


def test_on_a_shared_connection_who_takes_nothing_is_heard(session: gofer.Session) -> None:
    """As one that waits with its own messages before it takes ours."""
    message = frame(Opcode.BINARY, b"x" * 16_000)
    count = 200  # three windows of a stream

    def talk(peer: Peer) -> None:
        http = Frames(peer, {ENABLE_CONNECT_PROTOCOL: 1})
        _, _, stream, _ = http.receive_until(HEADERS)
        http.send_head(stream, 200)
        room = 1024 * 1024  # as gofer lets it have at first
        for _ in range(count):
            while room < len(message):
                _, _, _, data = http.receive_until(WINDOW_UPDATE, stream=stream)
                room += int.from_bytes(data)
            room -= len(message)
            http.send(DATA, 0, stream, message)
        for number in (0, stream):  # and now it listens
            http.send(WINDOW_UPDATE, 0, number, (1 << 24).to_bytes(4))
        peer.wait_closed()

    with serve(talk) as server:
        config = {"http2": "prior knowledge"}
        timeout = gofer.Timeouts(write=10)
        socket = session.websocket(url_of(server), config=config, timeout=timeout)
        socket.send(b"y" * 1_000_000)
        for _ in range(count):
            assert len(socket.receive()) == 16_000
        socket.abort()
        with pytest.raises(WebSocketClosed):
            socket.send("a")


def test_a_peer_that_only_talks(session: gofer.Session) -> None:
    """It takes nothing, and has more to say than we keep."""

    def talk(peer: Peer) -> None:
        message = frame(Opcode.BINARY, b"x" * 1_000_000)
        with pytest.raises(OSError):
            while True:
                peer.send(message)

    with speaking(b"", talk) as server:
        socket = session.websocket(url_of(server), timeout=gofer.Timeouts(write=1))
        with pytest.raises(WriteTimeout):
            socket.send(b"x" * 30_000_000)
        assert socket._socket._protocol.unread < 20_000_000


def test_a_peer_that_talks_while_a_pong_is_awaited(session: gofer.Session) -> None:
    """What nobody receives is not kept without limit: the peer has to wait."""

    def talk(peer: Peer) -> None:
        message = frame(Opcode.BINARY, b"x" * 1_000_000)
        with pytest.raises(OSError):
            while True:
                peer.send(message)

    with speaking(b"", talk) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(ReadTimeout):
            socket.ping(timeout=0.5)
        assert socket._socket._protocol.unread < 20_000_000
        assert len(socket.receive()) == 1_000_000
        socket.abort()


def test_messages_that_are_empty_take_room_too(session: gofer.Session) -> None:
    def talk(peer: Peer) -> None:
        messages = frame(Opcode.BINARY, b"") * 10_000
        with pytest.raises(OSError):
            while True:
                peer.send(messages)

    with speaking(b"", talk) as server:
        socket = session.websocket(url_of(server))
        with pytest.raises(ReadTimeout):
            socket.ping(timeout=0.5)
        assert len(socket._socket._protocol._messages) < 200_000
        socket.abort()


def test_small_frames_that_grow_take_room_too(session: gofer.Session) -> None:
    """A piece of what came is not taken whole, if its messages decode to more than we keep."""
    deflate = zlib.compressobj(9, wbits=-15)
    packed = deflate.compress(bytes(4_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    message = frame(Opcode.BINARY, packed[:-4])
    message = bytes([message[0] | 0x40]) + message[1:]

    def script(peer: Peer) -> None:
        extension = b"permessage-deflate; server_no_context_takeover"
        peer.send(opening(peer, sec_websocket_extensions=extension) + message * 20 + CLOSE_1000)
        peer.wait_closed()

    with serve(script) as server:
        socket = session.websocket(url_of(server))
        received = 0
        for message in socket:
            received += len(message)
            assert socket._socket._protocol.unread < 50_000_000
    assert received == 20 * 4_000_000


@ASYNCIO
def test_whoever_receives_slowly_is_waited_for() -> None:
    """More than we keep comes while we send, from a peer who takes nothing before that is taken."""

    def talk(peer: Peer) -> None:
        for _ in range(40):
            peer.send(frame(Opcode.BINARY, b"x" * 1_000_000))
        peer.receive_exactly(20_000_000)
        peer.send(CLOSE_1000)

    async def main(url: str) -> None:
        async with gofer.AsyncSession() as session, session.websocket(url) as socket:

            async def receive() -> int:
                count = 0
                while not sending.done() and socket._protocol.unread <= 16 * 1024 * 1024:
                    await asyncio.sleep(0.001)  # as slow as it takes
                async for _ in socket:
                    count += 1
                    await asyncio.sleep(0)
                return count

            sending = asyncio.ensure_future(socket.send(b"y" * 20_000_000))
            assert await receive() == 40
            await sending

    with speaking(b"", talk) as server:
        asyncio.run(main(url_of(server)))


@ASYNCIO
def test_what_is_still_being_sent_does_not_keep_us_from_leaving() -> None:
    """A limit that is said holds for all of it, also where writing has none."""

    def ignore(peer: Peer) -> None:
        peer.wait("over")

    async def main(url: str) -> None:
        timeouts = gofer.Timeouts(write=None)
        async with gofer.AsyncSession(timeout=timeouts) as session:
            socket = await session.websocket(url)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(socket.send(b"x" * 30_000_000), 0.1)
            with pytest.raises(ReadTimeout):
                await socket.ping(timeout=0.1)
            assert socket.closed is None
            await socket.close(timeout=0.1)
            assert socket.closed is not None

    with speaking(b"", ignore) as server:
        asyncio.run(main(url_of(server)))
        server.gates["over"].set()


# Several who wait ---------------------------------------------------------------------------------


@ASYNCIO
def test_an_answer_that_has_come_wakes_who_waits_for_it() -> None:
    """Whoever else waits, and in whatever order they began."""

    def answer(peer: Peer) -> None:
        kind, data = receive_frame(peer)
        assert kind == Opcode.PING
        peer.send(frame(Opcode.TEXT, b"a") + frame(Opcode.PONG, data))
        peer.wait_closed()

    async def main(url: str) -> None:
        async with gofer.AsyncSession() as session:
            socket = await session.websocket(url)
            receiving = [asyncio.ensure_future(socket.receive()) for _ in range(2)]
            await asyncio.sleep(0)  # as far as they get without us
            assert 0 < await socket.ping() < 10
            socket.abort()
            first, second = await asyncio.gather(*receiving, return_exceptions=True)
            assert first == "a"
            assert isinstance(second, WebSocketClosed)

    with speaking(b"", answer) as server:
        asyncio.run(main(url_of(server)))


@ASYNCIO
@pytest.mark.parametrize("is_each", [True, False], ids=["each", "the last"])
def test_pings_at_once(is_each: bool) -> None:
    """However many there are, and also if only the last is answered (RFC 6455, 5.5.3)."""

    def answer(peer: Peer) -> None:
        pings = [receive_frame(peer)[1] for _ in range(25)]
        answered = pings if is_each else pings[-1:]
        peer.send(b"".join(frame(Opcode.PONG, data) for data in [b"gofer 99", *answered]))
        peer.wait_closed()

    async def main(url: str) -> None:
        async with gofer.AsyncSession() as session:
            socket = await session.websocket(url)
            seconds = await asyncio.gather(*[socket.ping() for _ in range(25)])
            assert all(0 < second < 10 for second in seconds)
            with pytest.raises(ReadTimeout):
                await socket.ping(timeout=0.05)
            socket.abort()

    with speaking(b"", answer) as server:
        asyncio.run(main(url_of(server)))


@ASYNCIO
def test_who_is_cancelled_leaves_reading_to_another() -> None:
    def answer(peer: Peer) -> None:
        peer.wait("go")
        peer.send(frame(Opcode.TEXT, b"a") + frame(Opcode.TEXT, b"b"))
        peer.wait_closed()

    async def main(server: Server) -> None:
        async with gofer.AsyncSession() as session:
            socket = await session.websocket(url_of(server))
            receiving = [asyncio.ensure_future(socket.receive()) for _ in range(4)]
            await asyncio.sleep(0)
            receiving[0].cancel()  # who reads, and who is woken to read next
            receiving[1].cancel()
            await asyncio.sleep(0)
            server.gates["go"].set()
            assert await asyncio.gather(*receiving[2:]) == ["a", "b"]
            socket.abort()

    with speaking(b"", answer) as server:
        asyncio.run(main(server))


@pytest.mark.only_in("blocking")
def test_one_thread_closes_what_others_receive(session: gofer.Session) -> None:
    """Each message is received or lost, and who waits for one hears why there is none."""

    def talk(peer: Peer) -> None:
        with pytest.raises(OSError):
            while True:
                peer.send(frame(Opcode.TEXT, b"x") * 2)

    problems: list[BaseException] = []

    def receive(socket: Any, has_begun: threading.Event) -> None:
        try:
            while True:
                socket.receive()
                has_begun.set()
        except BaseException as error:
            problems.append(error)

    for _ in range(30):
        has_begun = threading.Event()
        with speaking(b"", talk) as server:
            socket = session.websocket(url_of(server))
            threads = [threading.Thread(target=receive, args=(socket, has_begun)) for _ in range(2)]
            for thread in threads:
                thread.start()
            has_begun.wait()
            socket.close(timeout=0.02)
            for thread in threads:
                thread.join()
    assert {type(problem) for problem in problems} == {WebSocketClosed}
    assert not [problem for problem in problems if "not open yet" in str(problem)]
