"""WebSockets whose peer is silent, takes nothing or says too much; and several who wait for it.

Whoever waits hears in time, and no more is kept than has room.
"""

import asyncio
import contextlib
import threading

import pytest
from websockets.frames import Opcode

import gofer
from faults.conftest import world
from faults.meeting import Meet, awaited, end_of, meet
from gofer.exceptions import ReadTimeout, WebSocketClosed, WriteTimeout
from servers.certificates import Certificates
from servers.frames import DATA, HEADERS, WINDOW_UPDATE, Frames
from servers.raw import Peer, Server, serve
from servers.raw_websocket import (
    CLOSE_1000,
    CLOSE_4000,
    deflated,
    flooding,
    ignoring,
    receive_frame,
    speaking,
    url_of,
)
from servers.websocket import frame
from threads import beside

__all__ = ["meet", "world"]

pytestmark = pytest.mark.usefixtures("world")

ASYNCIO = pytest.mark.only_in("blocking")  # it runs a loop of its own

# asyncio's transports, which fail to write, do not read what has come.
READS_WHAT_CAME = pytest.mark.only_in("blocking", "hub", "trio", "gevent")

ENABLE_CONNECT_PROTOCOL = 0x8  # a setting (RFC 8441, 3)

MEGABYTE = frame(Opcode.BINARY, b"x" * 1_000_000)


# A sign of life -----------------------------------------------------------------------------------


def test_no_sign_of_life_in_many_short_waits(session: gofer.Session) -> None:
    """What counts is when something was last heard."""
    with speaking() as server:
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

    with speaking(then=answer) as server:
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
    with speaking() as server:
        socket = session.websocket(url_of(server), heartbeat=0.05)
        assert "no sign of life" in str(end_of(socket))
    assert server.received[0].count(b"\x89") >= 1


@READS_WHAT_CAME
def test_what_came_before_the_peer_was_gone_is_received(session: gofer.Session) -> None:
    """Also if it is time to ask it for a sign of life, which it cannot be asked any more."""

    def leave(peer: Peer) -> None:
        peer.wait("opened")
        peer.send(frame(Opcode.TEXT, b"a") + CLOSE_4000)
        peer.reset()

    with speaking(then=leave) as server:
        socket = session.websocket(url_of(server), heartbeat=1e-6)
        server.gates["opened"].set()
        server.wait_for(lambda: server.open == 0)
        assert socket.receive() == "a"
        assert end_of(socket).code == 4000


# Nothing is taken --------------------------------------------------------------------------------


def test_a_peer_that_takes_nothing(meet: Meet) -> None:
    """The conversation is over then: nobody knows how much of the message it has."""
    socket = meet(then=ignoring, timeout=gofer.Timeouts(write=0.2))
    with pytest.raises(WriteTimeout, match="nothing was taken"):
        socket.send(b"x" * 30_000_000)
    assert "took nothing" in str(end_of(socket))


@pytest.mark.parametrize("is_tls", [False, True], ids=["tcp", "tls"])
def test_a_peer_that_ends_and_takes_nothing(is_tls: bool, certificates: Certificates) -> None:
    """Its end is no news that has to be heard again and again: what is being sent ends with it."""

    def end(peer: Peer) -> None:
        peer.half_close()
        ignoring(peer)

    with (
        speaking(then=end, tls=certificates.good if is_tls else None) as server,
        gofer.Session(verify=certificates.ca_file) as session,
    ):
        socket = session.websocket(url_of(server))
        with pytest.raises(WebSocketClosed) as caught:
            socket.send(b"x" * 30_000_000)
        assert caught.value.code == 1006


def test_a_peer_that_says_goodbye_and_takes_nothing(meet: Meet) -> None:
    """What it said is what whoever sends hears."""
    socket = meet(CLOSE_4000, ignoring)
    with pytest.raises(WebSocketClosed) as caught:
        socket.send(b"x" * 30_000_000)
    assert (caught.value.code, caught.value.reason) == (4000, "no more")


@READS_WHAT_CAME
def test_a_peer_that_says_goodbye_and_is_gone(meet: Meet) -> None:
    """What it said is what whoever sends hears, not that nobody is there."""

    def leave(peer: Peer) -> None:
        receive_frame(peer)
        peer.send(CLOSE_4000)
        peer.reset()

    socket = meet(then=leave)
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


# Too much ----------------------------------------------------------------------------------------


def test_a_peer_that_only_talks(meet: Meet) -> None:
    """It takes nothing, and has more to say than we keep."""
    socket = meet(then=flooding(MEGABYTE), timeout=gofer.Timeouts(write=1))
    with pytest.raises(WriteTimeout):
        socket.send(b"x" * 30_000_000)
    assert socket._socket._protocol.unread < 20_000_000


def test_a_peer_that_talks_while_a_pong_is_awaited(meet: Meet) -> None:
    """What nobody receives is not kept without limit: the peer has to wait."""
    socket = meet(then=flooding(MEGABYTE))
    with pytest.raises(ReadTimeout):
        socket.ping(timeout=0.5)
    assert socket._socket._protocol.unread < 20_000_000
    assert len(socket.receive()) == 1_000_000


def test_messages_that_are_empty_take_room_too(meet: Meet) -> None:
    socket = meet(then=flooding(frame(Opcode.BINARY, b"") * 10_000))
    with pytest.raises(ReadTimeout):
        socket.ping(timeout=0.5)
    assert len(socket._socket._protocol._messages) < 200_000


def test_small_frames_that_grow_take_room_too(meet: Meet) -> None:
    """A piece of what came is not taken whole, if its messages decode to more than we keep."""
    socket = meet(
        deflated(bytes(4_000_000)) * 20 + CLOSE_1000,
        extensions=b"permessage-deflate; server_no_context_takeover",
    )
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
            peer.send(MEGABYTE)
        peer.receive_exactly(20_000_000)
        peer.send(CLOSE_1000)

    async def main(socket: gofer.AsyncWebSocket, _: Server) -> None:
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

    awaited(talk, main)


@ASYNCIO
def test_what_is_still_being_sent_does_not_keep_us_from_leaving() -> None:
    """A limit that is said holds for all of it, also where writing has none."""

    async def main(socket: gofer.AsyncWebSocket, _: Server) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(socket.send(b"x" * 30_000_000), 0.1)
        with pytest.raises(ReadTimeout):
            await socket.ping(timeout=0.1)
        assert socket.closed is None
        await socket.close(timeout=0.1)
        assert socket.closed is not None

    awaited(ignoring, main, timeout=gofer.Timeouts(write=None))


@ASYNCIO
def test_who_is_cancelled_while_it_closes_lets_go_at_once() -> None:
    """Whoever closes has no use for it any more."""

    async def main(socket: gofer.AsyncWebSocket, _: Server) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(socket.close(4001), 0.05)
        assert "we closed it, code 4001" in str(socket.closed)

    awaited(ignoring, main)


# Several who wait ---------------------------------------------------------------------------------


@ASYNCIO
def test_an_answer_that_has_come_wakes_who_waits_for_it() -> None:
    """Whoever else waits, and in whatever order they began."""

    def answer(peer: Peer) -> None:
        kind, data = receive_frame(peer)
        assert kind == Opcode.PING
        peer.send(frame(Opcode.TEXT, b"a") + frame(Opcode.PONG, data))
        peer.wait_closed()

    async def main(socket: gofer.AsyncWebSocket, _: Server) -> None:
        receiving = [asyncio.ensure_future(socket.receive()) for _ in range(2)]
        await asyncio.sleep(0)  # as far as they get without us
        assert 0 < await socket.ping() < 10
        socket.abort()
        first, second = await asyncio.gather(*receiving, return_exceptions=True)
        assert first == "a"
        assert isinstance(second, WebSocketClosed)

    awaited(answer, main)


@ASYNCIO
@pytest.mark.parametrize("is_each", [True, False], ids=["each", "the last"])
def test_pings_at_once(is_each: bool) -> None:
    """However many there are, and also if only the last is answered (RFC 6455, 5.5.3)."""

    def answer(peer: Peer) -> None:
        pings = [receive_frame(peer)[1] for _ in range(25)]
        answered = pings if is_each else pings[-1:]
        peer.send(b"".join(frame(Opcode.PONG, data) for data in [b"gofer 99", *answered]))
        peer.wait_closed()

    async def main(socket: gofer.AsyncWebSocket, _: Server) -> None:
        seconds = await asyncio.gather(*[socket.ping() for _ in range(25)])
        assert all(0 < second < 10 for second in seconds)
        with pytest.raises(ReadTimeout):
            await socket.ping(timeout=0.05)

    awaited(answer, main)


@ASYNCIO
def test_who_is_cancelled_leaves_reading_to_another() -> None:
    def answer(peer: Peer) -> None:
        peer.wait("go")
        peer.send(frame(Opcode.TEXT, b"a") + frame(Opcode.TEXT, b"b"))
        peer.wait_closed()

    async def main(socket: gofer.AsyncWebSocket, server: Server) -> None:
        receiving = [asyncio.ensure_future(socket.receive()) for _ in range(4)]
        await asyncio.sleep(0)
        receiving[0].cancel()  # who reads, and who is woken to read next
        receiving[1].cancel()
        await asyncio.sleep(0)
        server.gates["go"].set()
        assert await asyncio.gather(*receiving[2:]) == ["a", "b"]

    awaited(answer, main)


@pytest.mark.only_in("blocking")
def test_one_thread_closes_what_others_receive(session: gofer.Session) -> None:
    """Each message is received or lost, and who waits for one hears why there is none."""
    for _ in range(30):
        with speaking(then=flooding(frame(Opcode.TEXT, b"x") * 2)) as server:
            socket = session.websocket(url_of(server))
            has_begun = threading.Event()

            def receive() -> None:
                with pytest.raises(WebSocketClosed, match="is closed|broke"):
                    while True:
                        socket.receive()  # noqa: B023
                        has_begun.set()  # noqa: B023

            with beside(receive, receive):
                has_begun.wait()
                socket.close(timeout=0.02)
