"""What `runtime.base` promises, kept by every runtime: streams, connecting, events, deadlines.

The peer is a plain blocking socket. What only one library can do (cancelling, loops that end,
other threads) is tested in the file of its runtime.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import worlds
from gofer.runtime.base import TimedOut
from servers.raw import black_hole, refused_port
from threads import beside

SOON = 0.08  # seconds
PATIENCE = 20.0  # seconds; never reached when all is well
LARGE = 30_000_000  # bytes; more than the buffers of both systems hold

world = worlds.world

Pair = tuple[Any, socket.socket]


def soon() -> float:
    return time.monotonic() + SOON


def later() -> float:
    return time.monotonic() + PATIENCE


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener


async def connected(world: Any, port: int, **options: Any) -> Any:
    return await world.connect([(socket.AF_INET, ("127.0.0.1", port))], later(), **options)


async def until_readable(world: Any, stream: Any) -> None:
    give_up = later()
    while not stream.is_readable():
        assert time.monotonic() < give_up
        await world.sleep(0.001)


@pytest.fixture
def pair(world: Any) -> Iterator[Pair]:
    """A stream and its peer."""
    with listening() as listener:
        stream = world.run(connected(world, listener.getsockname()[1]))
        peer, _ = listener.accept()
    peer.settimeout(PATIENCE)
    yield stream, peer
    stream.abort()
    peer.close()


# Receiving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limited", [True, False])
def test_ping_pong(world: Any, pair: Pair, limited: bool) -> None:
    """Bytes go both ways, with a deadline and without one."""
    stream, peer = pair
    deadline = later() if limited else None

    def echo() -> None:
        for _ in range(3):
            peer.sendall(peer.recv(100).upper())

    async def main() -> list[bytes]:
        answers = []
        for word in (b"one", b"two", b"three"):
            await stream.send(word, deadline)
            answers.append(await stream.receive(100, deadline))
        return answers

    with beside(echo):
        assert [b"ONE", b"TWO", b"THREE"] == world.run(main())


def test_receive_at_most(world: Any, pair: Pair) -> None:
    """No more comes than was asked for, nothing is lost, and the order stays."""
    stream, peer = pair
    peer.sendall(b"abcdefgh")
    peer.close()

    async def main() -> list[bytes]:
        pieces = []
        while piece := await stream.receive(3, later()):
            pieces.append(piece)
        return pieces

    pieces = world.run(main())
    assert b"abcdefgh" == b"".join(pieces)
    assert 3 >= max(map(len, pieces))


def test_receive_into(world: Any, pair: Pair) -> None:
    """`receive_into` fills the front of a buffer and leaves the rest alone."""
    stream, peer = pair
    peer.sendall(b"abc")
    buffer = bytearray(b"......")

    assert 3 == world.run(stream.receive_into(memoryview(buffer), later()))
    assert b"abc..." == buffer
    peer.close()
    assert 0 == world.run(stream.receive_into(memoryview(buffer), later()))


def test_more_than_is_kept(world: Any, pair: Pair) -> None:
    """A peer that sends faster than we read loses nothing: it waits."""
    stream, peer = pair
    data = os.urandom(1024) * 8192

    async def main() -> bytes:
        await until_readable(world, stream)
        received = bytearray()
        while piece := await stream.receive(10_000, later()):
            received += piece
        return bytes(received)

    def send() -> None:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)

    with beside(send):
        assert data == world.run(main())


def test_reset(world: Any, pair: Pair) -> None:
    """A reset is an OSError, not the end of the stream."""
    stream, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()

    with pytest.raises(OSError, match="reset"):
        world.run(stream.receive(100, later()))


@pytest.mark.parametrize("waits", [True, False])
def test_what_came_before_a_reset(world: Any, pair: Pair, waits: bool) -> None:
    """Is there for whoever could not send: the peer has said why, perhaps."""
    stream, peer = pair

    async def main() -> bytes:
        await stream.send(b"unread", later())
        give_up = later()
        while not select.select([peer], [], [], 0)[0]:
            assert time.monotonic() < give_up
            await world.sleep(0.001)
        assert b"" == stream.receive_now()
        peer.sendall(b"because")
        peer.close()
        with suppress(OSError):
            await stream.send(b"more", later())
        return await stream.receive(100, later()) if waits else stream.receive_now()

    assert b"because" == world.run(main())
    assert b"" == stream.receive_now()
    stream.abort()
    assert b"" == stream.receive_now()


# Deadlines --------------------------------------------------------------------------------------


def test_silence(world: Any, pair: Pair) -> None:
    """Receiving ends at the deadline: not before, not much later; then the stream still works."""
    stream, peer = pair
    began = time.monotonic()
    with pytest.raises(TimedOut):
        world.run(stream.receive(100, began + SOON))

    assert SOON <= time.monotonic() - began < PATIENCE / 4
    peer.sendall(b"late")
    assert b"late" == world.run(stream.receive(100, later()))


def test_deadlines_that_come_nearer_and_go_away(world: Any, pair: Pair) -> None:
    """Each call keeps its own deadline, whatever those before it were."""
    stream, peer = pair

    async def main() -> list[str]:
        log = []
        for limit in (PATIENCE, SOON, PATIENCE, SOON / 4, SOON, None):
            try:
                peer.sendall(b"x") if limit in (PATIENCE, None) else None
                deadline = None if limit is None else time.monotonic() + limit
                log.append((await stream.receive(1, deadline)).decode())
            except TimedOut:
                log.append("timed out")
        return log

    late = "timed out"
    assert ["x", late, "x", late, late, "x"] == world.run(main())


def test_passed_deadlines(world: Any, pair: Pair) -> None:
    """What begins after its deadline times out, and nothing has been sent."""
    stream, peer = pair
    passed = time.monotonic() - 1

    for use in (
        stream.receive(1, passed),
        stream.send(b"x", passed),
        world.connect([(socket.AF_INET, ("127.0.0.1", 9))], passed),
    ):
        with pytest.raises(TimedOut):
            world.run(use)
    stream.abort()
    assert b"" == peer.recv(1)


# Sending ----------------------------------------------------------------------------------------


def test_send_to_a_slow_reader(world: Any, pair: Pair) -> None:
    """`send` sends all, however often the peer's buffer fills up."""
    stream, peer = pair
    data = os.urandom(1024) * 8192
    received = bytearray()

    def read() -> None:
        time.sleep(0.05)
        while len(received) < len(data):
            received.extend(peer.recv(1_000_000))

    async def main() -> None:
        await stream.send(data, later())
        while len(received) < len(data):  # what is left of little, the loop sends
            await world.sleep(0.001)

    with beside(read):
        world.run(main())
    assert data == received


def test_send_to_a_reader_that_has_spoken(world: Any, pair: Pair) -> None:
    """`send` sends all, also when the peer's words wait to be received."""
    stream, peer = pair
    received = 0

    def read() -> None:
        nonlocal received
        time.sleep(0.05)
        while received < LARGE:
            received += len(peer.recv(1_000_000))

    async def main() -> bytes:
        peer.sendall(b"early")
        await until_readable(world, stream)
        await stream.send(bytes(LARGE), later())
        while received < LARGE:
            await world.sleep(0.001)
        return await stream.receive(100, later())  # type: ignore[no-any-return]

    with beside(read):
        assert b"early" == world.run(main())


@pytest.mark.parametrize("has_spoken", [False, True])
def test_send_to_nobody_who_reads(world: Any, pair: Pair, has_spoken: bool) -> None:
    """A peer that reads nothing costs no more than the deadline, whatever it says."""
    stream, peer = pair

    async def main() -> None:
        if has_spoken:
            peer.sendall(b"early")
            await until_readable(world, stream)
        await stream.send(bytes(LARGE), soon())

    with pytest.raises(TimedOut):
        world.run(main())


def test_send_some_gives_way_to_an_early_answer(world: Any, pair: Pair) -> None:
    """`send_some` gives 0 when nothing fits while the peer has something to say."""
    stream, peer = pair

    async def main() -> bytes:
        peer.sendall(b"413")
        while await stream.send_some(memoryview(bytes(1_000_000)), later()):
            pass
        return await stream.receive(100, later())  # type: ignore[no-any-return]

    assert b"413" == world.run(main())


def test_send_some_is_done_with_its_buffer(world: Any, pair: Pair) -> None:
    """Once `send_some` has said how much it sent, the buffer may be filled anew."""
    stream, peer = pair
    expected = bytearray()
    received = bytearray()
    over = threading.Event()

    def read() -> None:
        time.sleep(0.05)
        peer.settimeout(0.02)
        while not (over.is_set() and len(received) >= len(expected)):
            with suppress(TimeoutError):
                received.extend(peer.recv(1_000_000))

    async def main() -> None:
        buffer = bytearray(256 * 1024)
        for number in range(40):
            buffer[:] = bytes([number]) * len(buffer)
            count = await stream.send_some(memoryview(buffer), later())
            expected.extend(bytes([number]) * count)
        buffer[:] = b"\xff" * len(buffer)
        over.set()
        while len(received) < len(expected):
            await world.sleep(0.001)

    with beside(read):
        world.run(main())
    assert expected == received


# Its life ---------------------------------------------------------------------------------------


def test_readable(world: Any, pair: Pair) -> None:
    """A quiet stream is not readable; bytes make it so until received, the end for good."""
    stream, peer = pair

    async def main() -> None:
        assert not stream.is_readable()
        peer.sendall(b"x")
        await until_readable(world, stream)
        assert b"x" == await stream.receive(100, later())
        assert not stream.is_readable()
        peer.close()
        await until_readable(world, stream)
        assert b"" == await stream.receive(100, later())
        assert stream.is_readable()

    world.run(main())


def test_readable_before_anybody_has_looked(world: Any, pair: Pair) -> None:
    """What has come is noticed at once, also if no loop has turned since."""
    stream, peer = pair

    async def main() -> bool:
        peer.sendall(b"x")
        select.select([stream.fileno()], [], [], PATIENCE)  # the loop stands still meanwhile
        return stream.is_readable()  # type: ignore[no-any-return]

    assert world.run(main())


def test_abort(world: Any, pair: Pair) -> None:
    """An aborted stream is closed: the peer sees the end, every use is an OSError."""
    stream, peer = pair

    async def main() -> None:
        stream.abort()
        stream.abort()
        await world.sleep(0.001)
        assert -1 == stream.fileno()
        assert stream.is_readable()
        for use in stream.receive(1, later()), stream.send(b"x", later()):
            with pytest.raises(OSError, match="descriptor"):
                await use

    world.run(main())
    assert b"" == peer.recv(100)


# Connecting -------------------------------------------------------------------------------------


def test_refused(world: Any) -> None:
    """A refused address is an OSError that names it."""
    port = refused_port()
    with pytest.raises(ConnectionRefusedError) as caught:
        world.run(connected(world, port))

    assert f"127.0.0.1:{port}" in caught.value.__notes__[0]


def test_dead_address_first(world: Any) -> None:
    """The next address is tried when one fails."""
    with listening() as listener:
        addresses = [
            (socket.AF_INET, ("127.0.0.1", refused_port())),
            (socket.AF_INET, listener.getsockname()),
        ]
        stream = world.run(world.connect(addresses, later()))
        assert listener.getsockname() == stream.peer_address()
        stream.abort()


def test_black_hole_first(world: Any) -> None:
    """An address that does not answer is overtaken by the next one."""
    with black_hole() as port, listening() as listener:
        addresses = [
            (socket.AF_INET, ("127.0.0.1", port)),
            (socket.AF_INET, listener.getsockname()),
        ]
        stream = world.run(world.connect(addresses, later()))
        assert listener.getsockname() == stream.peer_address()
        stream.abort()


def test_black_hole_only(world: Any) -> None:
    """Connecting ends at the deadline."""
    with black_hole() as port, pytest.raises(TimedOut):
        world.run(world.connect([(socket.AF_INET, ("127.0.0.1", port))], soon()))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")
def test_unix(world: Any, tmp_path: Path) -> None:
    """A unix socket is a stream as any other."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        async def main() -> bytes:
            stream = await world.connect_unix(path, later())
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"hello")
                data = await stream.receive(100, later())
            stream.abort()
            return data  # type: ignore[no-any-return]

        assert b"hello" == world.run(main())
    with pytest.raises(OSError, match="No such file"):
        world.run(world.connect_unix(path + "?", later()))


# Events, names, sleep ---------------------------------------------------------------------------


def test_event_from_a_thread(world: Any) -> None:
    """Another thread sets an event; whoever waits goes on, and so does who comes later."""

    async def main() -> None:
        event = world.event()
        with beside(lambda: (time.sleep(0.02), event.set())):
            await event.wait(later())
        event.set()
        await event.wait(None)

    world.run(main())


def test_event_of_ones_own(world: Any) -> None:
    """An event that is set already lets everybody pass."""

    async def main() -> None:
        event = world.event()
        event.set()
        await event.wait(later())

    world.run(main())


def test_event_that_nobody_sets(world: Any) -> None:
    """Waiting for an event ends at the deadline."""

    async def main() -> None:
        await world.event().wait(soon())

    with pytest.raises(TimedOut):
        world.run(main())


def test_names(world: Any) -> None:
    """`localhost` has a loopback address; a name that cannot exist is a gaierror."""

    async def main() -> list[Any]:
        with pytest.raises(socket.gaierror):
            await world.resolve("no-such-host.invalid", 80, later())
        return await world.resolve("localhost", 80, later())  # type: ignore[no-any-return]

    assert {"127.0.0.1", "::1"} & {address[1][0] for address in world.run(main())}


def test_sleep_of_no_time(world: Any) -> None:
    """A pause that is over already is no error."""

    async def main() -> None:
        await world.sleep(0)
        await world.sleep(-1)

    world.run(main())


# Datagrams --------------------------------------------------------------------------------------


@pytest.fixture
def datagrams(world: Any) -> Iterator[Pair]:
    """Datagrams and their peer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE)
        address = socket.AF_INET, peer.getsockname()
        ours = world.run(world.connect_datagrams(address))
        peer.connect(ours.local_address())
        yield ours, peer
        ours.abort()


def test_datagrams_keep_their_borders(world: Any, datagrams: Pair) -> None:
    """Each comes as it was sent, the empty one too."""
    ours, peer = datagrams
    asked, answers = [b"one", b"three"], [b"ONE", b"", b"THREE"]

    async def main() -> list[bytes]:
        for data in asked:
            assert len(data) == await ours.send_some(memoryview(data), later())
        assert asked == [peer.recv(100) for _ in asked]
        for data in answers:
            peer.send(data)
        received: list[bytes] = []
        while len(received) < len(answers):
            received += await ours.receive_several(later())
        return received

    assert answers == world.run(main())


def test_a_datagram_that_does_not_come(world: Any, datagrams: Pair) -> None:
    ours, _ = datagrams

    with pytest.raises(TimedOut):
        world.run(ours.receive_several(soon()))


def test_a_datagram_that_is_too_large_is_lost(world: Any, datagrams: Pair) -> None:
    ours, peer = datagrams

    async def main() -> None:
        for data in (bytes(70_000), b"small"):
            assert len(data) == ours.send_now(memoryview(data))

    world.run(main())
    assert b"small" == peer.recv(100)


def test_nobody_listens_for_datagrams(world: Any, datagrams: Pair) -> None:
    """The system's word that nobody does is an OSError, for the one who waits for an answer."""
    ours, peer = datagrams
    peer.close()

    async def main() -> None:
        await ours.send_some(memoryview(b"hello?"), later())
        await ours.receive_several(later())

    with pytest.raises(ConnectionRefusedError):
        world.run(main())


def test_datagrams_that_were_aborted(world: Any, datagrams: Pair) -> None:
    ours, _ = datagrams
    ours.abort()
    ours.abort()

    async def main() -> None:
        await ours.receive_several(later())

    with pytest.raises(OSError):
        world.run(main())
    assert -1 == ours.fileno()


def test_datagrams_from_an_address_with_options(world: Any) -> None:
    """A source address and socket options count; options of TCP do not."""

    async def main() -> tuple[Any, int]:
        ours = await world.connect_datagrams(
            (socket.AF_INET, ("127.0.0.1", 9)),
            source_address=("127.0.0.2", 0),
            socket_options=[
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                (socket.SOL_SOCKET, socket.SO_BROADCAST, 1),
            ],
        )
        try:
            with socket.socket(fileno=os.dup(ours.fileno())) as same:
                option = same.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
            return ours.local_address(), option
        finally:
            ours.abort()

    (host, _), option = world.run(main())
    assert ("127.0.0.2", 1) == (host, option)
