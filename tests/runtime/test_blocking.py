"""The blocking runtime, over real loopback sockets: streams, connecting, names, waiting."""

import errno
import io
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gofer.runtime import blocking
from gofer.runtime.base import TimedOut
from gofer.runtime.blocking import BlockingStream, runtime
from servers.raw import refused_port
from threads import beside

SOON = 0.08  # seconds; longer than the first wait, so that the second one is tested too
PATIENCE = 20.0  # seconds; never reached when all is well

run = runtime.run


def soon() -> float:
    return runtime.now() + SOON


def later() -> float:
    return runtime.now() + PATIENCE


@pytest.fixture(params=["limited by the kernel", "polled", "selected"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a stream waits: here, under gevent, and on Windows."""
    if request.param != "limited by the kernel":
        monkeypatch.setattr(blocking, "_KERNEL_CAN_LIMIT", False)
    if request.param == "selected":
        monkeypatch.delattr(select, "poll", raising=False)
    return str(request.param)


@pytest.fixture
def pair(way: str) -> Iterator[tuple[BlockingStream, socket.socket]]:
    """A stream and its peer, a plain socket, over TCP."""
    with listening() as listener:
        address = listener.getsockname()
        stream = run(runtime.connect([(socket.AF_INET, address)], later()))
        peer, _ = listener.accept()
    peer.settimeout(PATIENCE)
    yield stream, peer
    stream.abort()
    peer.close()


@contextmanager
def listening(family: int = socket.AF_INET, backlog: int = 5) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        listener.listen(backlog)
        yield listener


@contextmanager
def black_hole() -> Iterator[tuple[int, Any]]:
    """An address that leaves connections unanswered: a listener whose backlog is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(listening(backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        last = stack.enter_context(socket.socket())
        last.settimeout(0.1)
        try:
            last.connect(listener.getsockname())
        except TimeoutError:
            yield socket.AF_INET, listener.getsockname()
        else:
            pytest.skip("this system's backlog never fills up")


def notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


# run ----------------------------------------------------------------------------------------------


def test_run_gives_the_result() -> None:
    """`run` gives what the coroutine returns."""

    async def answer() -> int:
        await runtime.sleep(0)
        return 42

    assert 42 == run(answer())


def test_run_lets_errors_pass() -> None:
    """`run` lets the coroutine's error pass."""

    async def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        run(fail())


def test_run_refuses_a_coroutine_that_suspends() -> None:
    """A coroutine that waits for some other loop is closed, and the error says so."""
    closed = []

    class Pause:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def suspend() -> None:
        try:
            await Pause()
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="suspended"):
        run(suspend())

    assert [True] == closed


def test_sleep_of_no_time() -> None:
    """A pause that is over already is no error."""
    run(runtime.sleep(0))
    run(runtime.sleep(-1))


# Events -------------------------------------------------------------------------------------------


def test_event_set_before_it_is_waited_for() -> None:
    """An event that is set lets everybody pass, even after the deadline."""
    event = runtime.event()
    event.set()
    event.set()

    run(event.wait(None))
    run(event.wait(runtime.now() - 1))


def test_event_wakes_all_who_wait() -> None:
    """`set` in one thread wakes those who wait in others."""
    event = runtime.event()

    def wait() -> None:
        run(event.wait(later()))

    with beside(wait), beside(wait):
        event.set()


def test_event_that_nobody_sets() -> None:
    """Waiting for an event ends at the deadline."""
    event = runtime.event()

    with pytest.raises(TimedOut):
        run(event.wait(soon()))


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 80))),
        ("::1", (socket.AF_INET6, ("::1", 80, 0, 0))),
        ("2001:db8::7", (socket.AF_INET6, ("2001:db8::7", 80, 0, 0))),
    ],
)
def test_literal_addresses_are_not_looked_up(
    host: str, expected: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An IP literal is its own answer, without the resolver and without a thread."""
    monkeypatch.delattr(socket, "getaddrinfo")

    assert [expected] == run(runtime.resolve(host, 80, later()))


@pytest.mark.parametrize("with_deadline", [True, False])
def test_localhost_has_an_address(with_deadline: bool) -> None:
    """A name gives addresses for TCP, each of them once."""
    found = run(runtime.resolve("localhost", 80, later() if with_deadline else None))

    assert found
    assert len(found) == len(set(found))
    assert {80} == {sockaddr[1] for _, sockaddr in found}


@pytest.mark.parametrize("host", ["", "exa\0mple.com", "exämple.com"])
def test_what_is_no_host_name(host: str) -> None:
    """What is no ASCII name is an error of the look-up, not a crash of a codec."""
    with pytest.raises(socket.gaierror):
        run(runtime.resolve(host, 80, later()))


def test_long_labels_are_an_error_of_the_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label of 64 characters reaches the resolver; no UnicodeError from a codec."""
    asked = []

    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with pytest.raises(socket.gaierror, match="unknown"):
        run(runtime.resolve("a" * 64 + ".test", 80, later()))
    assert [b"a" * 64 + b".test"] == asked


def test_stalled_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer is left behind at the deadline."""
    release = threading.Event()

    def stall(*args: Any, **kwargs: Any) -> list[Any]:
        release.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stall)

    try:
        with pytest.raises(TimedOut):
            run(runtime.resolve("slow.test", 80, soon()))
    finally:
        release.set()


def test_passed_deadline_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline no look-up is begun."""
    monkeypatch.delattr(socket, "getaddrinfo")

    with pytest.raises(TimedOut):
        run(runtime.resolve("example.test", 80, runtime.now() - 1))


def test_stalled_resolver_does_not_keep_the_interpreter() -> None:
    """The program ends although a look-up is still stalled."""
    program = """
import socket, threading
socket.getaddrinfo = lambda *args, **kwargs: threading.Event().wait()
from gofer.runtime.base import TimedOut
from gofer.runtime.blocking import runtime
try:
    runtime.run(runtime.resolve("slow.test", 80, runtime.now() + 0.05))
except TimedOut:
    print("timed out")
"""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )

    assert (b"timed out", b"") == (done.stdout.strip(), done.stderr)


# Connecting ---------------------------------------------------------------------------------------


def test_connect_sets_the_usual_options() -> None:
    """A connection sends small pieces at once and notices a vanished peer at last."""
    with listening() as listener:
        stream = run(runtime.connect([(socket.AF_INET, listener.getsockname())], None))
    with socket.socket(fileno=os.dup(stream.fileno())) as same:
        assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    stream.abort()


def test_connect_takes_options() -> None:
    """Socket options, keep-alive and the source address are the caller's choice."""
    with listening() as listener:
        address = listener.getsockname()
        stream = run(
            runtime.connect(
                [(socket.AF_INET, address)],
                later(),
                source_address=("127.0.0.1", 0),
                socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)],
                keep_alive=False,
            )
        )
        assert address == stream.peer_address()
    with socket.socket(fileno=os.dup(stream.fileno())) as same:
        assert 0 == same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert same.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 65536
    stream.abort()


def test_refused_address_is_named(way: str) -> None:
    """A refused connection is the system's error at once, with the address in a note."""
    port = refused_port()

    with pytest.raises(ConnectionRefusedError) as caught:
        run(runtime.connect([(socket.AF_INET, ("127.0.0.1", port))], later()))

    assert [f"127.0.0.1:{port}: {os.strerror(errno.ECONNREFUSED)}"] == notes(caught.value)


def test_every_address_that_failed_is_named() -> None:
    """If no address answers there is a note for each, families in turns (RFC 8305, 4)."""
    first, second = refused_port(), refused_port()
    addresses = [
        (socket.AF_INET, ("127.0.0.1", first)),
        (socket.AF_INET, ("127.0.0.1", second)),
        (socket.AF_INET6, ("::1", refused_port(), 0, 0)),
    ]

    with pytest.raises(OSError) as caught:
        run(runtime.connect(addresses, later()))

    hosts = [note.rpartition(":")[0].rpartition(":")[0] for note in notes(caught.value)]
    assert ["127.0.0.1", "[::1]", "127.0.0.1"] == hosts


def test_no_address_at_all() -> None:
    """An empty list of addresses is an error, not a hang."""
    with pytest.raises(OSError, match="no address"):
        run(runtime.connect([], later()))


def test_address_that_cannot_be_used() -> None:
    """A source address of another family fails that attempt only."""
    with listening() as listener:
        addresses = [
            (socket.AF_INET6, ("::1", refused_port(), 0, 0)),
            (socket.AF_INET, listener.getsockname()),
        ]
        stream = run(runtime.connect(addresses, later(), source_address=("127.0.0.1", 0)))
        assert listener.getsockname() == stream.peer_address()
        stream.abort()


def test_dead_address_first(way: str) -> None:
    """The next address is used when the first one is refused."""
    with listening() as listener:
        addresses = [
            (socket.AF_INET, ("127.0.0.1", refused_port())),
            (socket.AF_INET, listener.getsockname()),
        ]
        stream = run(runtime.connect(addresses, later()))
        assert listener.getsockname() == stream.peer_address()
        stream.abort()


def test_black_hole_first(way: str) -> None:
    """The next address is tried beside one that does not answer, long before the deadline."""
    with black_hole() as hole, listening() as listener:
        addresses = [hole, (socket.AF_INET, listener.getsockname())]
        stream = run(runtime.connect(addresses, None))
        assert listener.getsockname() == stream.peer_address()
        stream.abort()


def test_black_holes_only() -> None:
    """When the deadline passes, the notes say what became of each address that was tried."""
    port = refused_port()
    with black_hole() as hole, pytest.raises(TimedOut) as caught:
        run(runtime.connect([(socket.AF_INET, ("127.0.0.1", port)), hole], soon()))

    assert [
        f"127.0.0.1:{port}: {os.strerror(errno.ECONNREFUSED)}",
        f"127.0.0.1:{hole[1][1]}: no answer",
    ] == notes(caught.value)


def test_passed_deadline_connects_to_nobody() -> None:
    """After the deadline no connection is begun."""
    with listening() as listener:
        listener.setblocking(False)
        with pytest.raises(TimedOut):
            run(runtime.connect([(socket.AF_INET, listener.getsockname())], runtime.now() - 1))
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_interrupted_connect_leaves_nothing_open() -> None:
    """Ctrl-C while connecting closes what was begun (the leak check of all tests sees it)."""
    with black_hole() as hole, alarm(0.05, KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        run(runtime.connect([hole], later()))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no unix sockets")
class TestUnix:
    def test_connects(self, tmp_path: Path, way: str) -> None:
        """A unix socket is a stream like any other."""
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            stream = run(runtime.connect_unix(path, later()))
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"hello")
                assert b"hello" == run(stream.receive(100, later()))
            stream.abort()

    def test_nobody_there(self, tmp_path: Path) -> None:
        """A path without a socket is the system's error."""
        with pytest.raises(FileNotFoundError):
            run(runtime.connect_unix(str(tmp_path / "nothing"), later()))

    def test_full_backlog(self, tmp_path: Path) -> None:
        """A listener that accepts nobody costs no more than the deadline."""
        path = str(tmp_path / "s")
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path)
            listener.listen(0)
            with suppress(BlockingIOError):
                while True:
                    filler = stack.enter_context(socket.socket(socket.AF_UNIX))
                    filler.setblocking(False)
                    filler.connect(path)
            with pytest.raises(TimedOut):
                run(runtime.connect_unix(path, soon()))


# Streams ------------------------------------------------------------------------------------------

Pair = tuple[BlockingStream, socket.socket]


@pytest.mark.parametrize("limited", [True, False])
def test_ping_pong(pair: Pair, limited: bool) -> None:
    """What is sent arrives, what comes is received, with and without a deadline."""
    stream, peer = pair
    deadline = later() if limited else None

    run(stream.send(b"ping", deadline))
    assert b"ping" == peer.recv(100)
    peer.sendall(b"pong")
    assert b"po" == run(stream.receive(2, deadline))
    assert b"ng" == run(stream.receive(100, deadline))


def test_receive_into(pair: Pair) -> None:
    """`receive_into` fills the start of the buffer, and gives 0 at the end."""
    stream, peer = pair
    buffer = bytearray(8)
    peer.sendall(b"abc")

    assert 3 == run(stream.receive_into(memoryview(buffer), later()))
    assert b"abc\0\0\0\0\0" == buffer

    peer.close()
    assert 0 == run(stream.receive_into(memoryview(buffer), later()))


@pytest.mark.parametrize("limited", [True, False])
def test_answer_after_the_first_wait(pair: Pair, limited: bool) -> None:
    """An answer that takes longer than the first wait is waited for, by both ways to receive."""
    stream, peer = pair
    deadline = later() if limited else None
    buffer = bytearray(8)

    def answer() -> None:
        for _ in range(2):
            peer.recv(1)
            time.sleep(2 * blocking.FIRST_WAIT)
            peer.sendall(b"late")

    with beside(answer):
        run(stream.send(b"1", deadline))
        assert b"late" == run(stream.receive(100, deadline))
        run(stream.send(b"2", deadline))
        assert 4 == run(stream.receive_into(memoryview(buffer), deadline))


def test_end_of_the_stream(pair: Pair) -> None:
    """The end is b"", as often as one asks."""
    stream, peer = pair
    peer.close()

    assert b"" == run(stream.receive(100, later()))
    assert b"" == run(stream.receive(100, later()))


def test_reset(pair: Pair) -> None:
    """A reset is the system's error."""
    stream, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()

    with pytest.raises(ConnectionResetError):
        run(stream.receive(100, later()))


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.01, SOON])
def test_silence(pair: Pair, seconds: float) -> None:
    """A silent peer is a TimedOut, whether the deadline is behind, near or far."""
    stream, _ = pair

    with pytest.raises(TimedOut):
        run(stream.receive(100, runtime.now() + seconds))
    with pytest.raises(TimedOut):
        run(stream.receive_into(memoryview(bytearray(10)), runtime.now() + seconds))


def test_passed_deadline_touches_nothing(pair: Pair, tmp_path: Path) -> None:
    """After the deadline nothing is received although it is there, and nothing is sent."""
    stream, peer = pair
    passed = runtime.now() - 1
    peer.sendall(b"here")
    (tmp_path / "file").write_bytes(b"content")

    with pytest.raises(TimedOut):
        run(stream.receive(100, passed))
    with pytest.raises(TimedOut):
        run(stream.send(b"no", passed))
    with pytest.raises(TimedOut):
        run(stream.send_some(memoryview(b"no"), passed))
    with (tmp_path / "file").open("rb") as file, pytest.raises(TimedOut):
        run(stream.send_file(file, 0, 7, passed))

    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(100)
    assert b"here" == run(stream.receive(100, later()))


def test_timed_out_stream_still_works(pair: Pair) -> None:
    """A deadline that passed does no harm to the stream."""
    stream, peer = pair
    with pytest.raises(TimedOut):
        run(stream.receive(100, soon()))

    peer.sendall(b"late")
    assert b"late" == run(stream.receive(100, None))


def test_send_to_a_slow_reader(pair: Pair) -> None:
    """`send` sends all, however often the peer's buffer fills up."""
    stream, peer = pair
    data = os.urandom(1024) * 8192
    received = bytearray()

    def read_slowly() -> None:
        time.sleep(2 * blocking.FIRST_WAIT)
        while len(received) < len(data):
            received.extend(peer.recv(1_000_000))

    with beside(read_slowly):
        run(stream.send(data, later()))

    assert data == received


def test_send_to_nobody_who_reads(pair: Pair) -> None:
    """A peer that reads nothing costs no more than the deadline."""
    stream, _ = pair

    with pytest.raises(TimedOut):
        run(stream.send(b"x" * 50_000_000, soon()))


def test_send_some_says_how_much(pair: Pair) -> None:
    """`send_some` sends a part and says how much; at last nothing fits and time passes."""
    stream, peer = pair
    data = memoryview(os.urandom(1024) * 16384)
    sent = 0
    with suppress(TimedOut):
        while True:
            sent += run(stream.send_some(data[sent:], soon()))
    stream.abort()

    received = b"".join(iter(lambda: peer.recv(1_000_000), b""))
    assert 0 < sent < len(data)
    assert data[:sent] == received


def test_send_some_gives_way_to_an_early_answer(pair: Pair) -> None:
    """`send_some` gives 0 when nothing fits while the peer has something to say."""
    stream, peer = pair
    data = memoryview(bytes(1_000_000))
    peer.sendall(b"413")
    while run(stream.send_some(data, later())):
        pass

    assert b"413" == run(stream.receive(100, later()))


def test_readable(pair: Pair) -> None:
    """A quiet stream is not readable; bytes make it so until received, the end for good."""
    stream, peer = pair
    assert not stream.is_readable()

    peer.sendall(b"x")
    wait_until_readable(stream)
    run(stream.receive(100, later()))
    assert not stream.is_readable()

    peer.close()
    wait_until_readable(stream)
    assert b"" == run(stream.receive(100, later()))
    assert stream.is_readable()


def wait_until_readable(stream: BlockingStream) -> None:
    select.select([stream.fileno()], [], [], PATIENCE)
    assert stream.is_readable()


def test_abort(pair: Pair) -> None:
    """An aborted stream is closed: the peer sees the end, every use is an OSError."""
    stream, peer = pair
    assert not stream.is_readable()
    stream.abort()
    stream.abort()

    assert b"" == peer.recv(100)
    assert -1 == stream.fileno()
    assert stream.is_readable()
    for use in stream.receive(1, later()), stream.receive(1, soon()), stream.send(b"x", later()):
        with pytest.raises(OSError, match="descriptor"):
            run(use)


def test_abort_wakes_another_thread(pair: Pair) -> None:
    """A thread that waits in `receive` notices that another one closed the stream."""
    stream, _ = pair
    waiting = threading.Event()

    def abort() -> None:
        waiting.wait(PATIENCE)
        time.sleep(2 * blocking.FIRST_WAIT)
        stream.abort()

    with beside(abort):
        waiting.set()
        with suppress(OSError):  # b"" or EBADF, as it happens
            assert b"" == run(stream.receive(100, later()))


def test_repr_names_the_descriptor(pair: Pair) -> None:
    """The repr helps to find the socket in the system's tools."""
    stream, _ = pair

    assert f"<BlockingStream fd={stream.fileno()}>" == repr(stream)


# Files --------------------------------------------------------------------------------------------


def test_send_file(pair: Pair, tmp_path: Path) -> None:
    """`send_file` sends the part that was asked for, and gives 0 at the end of the file."""
    stream, peer = pair
    (tmp_path / "file").write_bytes(b"0123456789")

    with (tmp_path / "file").open("rb") as file:
        assert 4 == run(stream.send_file(file, 3, 4, later()))
        assert 3 == run(stream.send_file(file, 7, 100, None))
        assert 0 == run(stream.send_file(file, 10, 5, later()))

    assert b"3456789" == receive_exactly(peer, 7)


def test_send_file_to_a_slow_reader(pair: Pair, tmp_path: Path) -> None:
    """A large file arrives whole, in turns; a peer that stops reading costs the deadline."""
    stream, peer = pair
    data = os.urandom(1024) * 8192
    (tmp_path / "file").write_bytes(data)
    received = bytearray()

    def read_slowly() -> None:
        time.sleep(2 * blocking.FIRST_WAIT)
        received.extend(receive_exactly(peer, len(data)))

    with (tmp_path / "file").open("rb") as file:
        with beside(read_slowly):
            offset = 0
            while offset < len(data):
                offset += run(stream.send_file(file, offset, len(data) - offset, later()))
        assert data == received

        async def send_for_ever() -> None:
            while True:
                await stream.send_file(file, 0, len(data), soon())

        with pytest.raises(TimedOut):
            run(send_for_ever())


@pytest.mark.parametrize("why", ["absent", "refused"])
def test_send_file_without_the_systems_help(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Where the system cannot send a file itself it is read and sent."""
    stream, peer = pair
    (tmp_path / "file").write_bytes(b"0123456789")

    def refuse(*args: Any) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    if why == "absent":
        monkeypatch.delattr(os, "sendfile", raising=False)
    else:
        monkeypatch.setattr(os, "sendfile", refuse, raising=False)
    with (tmp_path / "file").open("rb") as file:
        assert 4 == run(stream.send_file(file, 3, 4, later()))
        assert 0 == run(stream.send_file(file, 10, 4, later()))

    assert b"3456" == receive_exactly(peer, 4)


def test_send_file_passes_other_errors(pair: Pair, tmp_path: Path) -> None:
    """A connection that is gone is not a reason to read the file instead."""
    stream, _ = pair
    stream.abort()
    (tmp_path / "file").write_bytes(b"0123456789")

    with (tmp_path / "file").open("rb") as file, pytest.raises(OSError, match="descriptor"):
        run(stream.send_file(file, 0, 4, later()))


def receive_exactly(peer: socket.socket, count: int) -> bytes:
    received = io.BytesIO()
    while received.tell() < count:
        received.write(peer.recv(count - received.tell()))
    return received.getvalue()


# Signals ------------------------------------------------------------------------------------------


@contextmanager
def alarm(interval: float, error: type[BaseException] | None) -> Iterator[list[int]]:
    """A signal comes every `interval` seconds; its handler counts, or raises `error`."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("this platform has no timer signals")
    came: list[int] = []

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        if error is not None:
            raise error

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, interval, interval)
    try:
        yield came
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_signals_do_not_put_the_deadline_off(pair: Pair) -> None:
    """Interrupted by a signal again and again, `receive` still ends at its deadline."""
    stream, _ = pair

    with alarm(0.03, None) as came, pytest.raises(TimedOut):
        run(stream.receive(100, runtime.now() + 0.2))

    assert came


@pytest.mark.parametrize("limited", [True, False])
def test_ctrl_c_passes_through(pair: Pair, limited: bool) -> None:
    """A handler's exception ends the wait and reaches the caller."""
    stream, _ = pair

    with alarm(0.05, KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        run(stream.receive(100, later() if limited else None))
