"""The asyncio runtime, on asyncio's own loop and uvloop's: loops that come and go, its timer."""

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest
import uvloop

from gofer.runtime.asyncio import runtime
from gofer.runtime.asyncio_stream import AsyncioStream
from gofer.runtime.base import TimedOut

PATIENCE = 20.0  # seconds; never reached when all is well

NewLoop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> NewLoop:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def loop(new_loop: NewLoop) -> Iterator[asyncio.AbstractEventLoop]:
    loop = new_loop()
    yield loop
    loop.run_until_complete(asyncio.sleep(0))
    with warnings.catch_warnings():  # uvloop stands still for ever if a complaint is an error
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener


def pair_in(loop: Any, listener: socket.socket) -> tuple[AsyncioStream, socket.socket]:
    address = socket.AF_INET, listener.getsockname()
    stream = loop.run_until_complete(runtime.connect([address], monotonic() + PATIENCE))
    peer, _ = listener.accept()
    peer.settimeout(PATIENCE)
    return stream, peer


def test_several_loops_in_a_row(new_loop: NewLoop, listener: socket.socket) -> None:
    """The one runtime serves every loop; a loop that was closed is known to be over."""
    for _ in range(3):
        loop = new_loop()
        stream, peer = pair_in(loop, listener)
        peer.sendall(b"x")
        assert b"x" == loop.run_until_complete(stream.receive(1, None))
        assert not runtime.is_over(loop)
        loop.run_until_complete(_aborted(stream))
        loop.close()
        assert runtime.is_over(loop)
        peer.close()


async def _aborted(stream: AsyncioStream) -> None:
    stream.abort()
    await asyncio.sleep(0)


def test_abort_after_the_loop_was_closed(new_loop: NewLoop, listener: socket.socket) -> None:
    """It makes no noise, and the peer sees the end."""
    loop = new_loop()
    stream, peer = pair_in(loop, listener)
    with suppress(TimedOut):  # so that a timer is armed
        loop.run_until_complete(stream.receive(1, monotonic() + 0.01))
    with warnings.catch_warnings():  # uvloop complains itself of what is open when it closes
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()
    stream.abort()
    stream.abort()

    assert b"" == peer.recv(1)
    peer.close()
    del stream
    gc.collect()


def test_abort_between_the_last_turn_and_the_end(listener: socket.socket) -> None:
    """A loop that stands still and is closed without another turn leaves nothing open.

    On uvloop neither, but it complains: closing a transport takes a turn there, whoever asks.
    """
    loop = asyncio.new_event_loop()
    stream, peer = pair_in(loop, listener)
    stream.abort()
    loop.close()

    assert b"" == peer.recv(1)
    peer.close()
    del stream
    gc.collect()


def test_abort_while_the_loop_stands_still(
    loop: asyncio.AbstractEventLoop, listener: socket.socket
) -> None:
    """The next turn closes the socket."""
    stream, peer = pair_in(loop, listener)
    stream.abort()
    assert -1 == stream.fileno()
    loop.run_until_complete(asyncio.sleep(0))

    assert b"" == peer.recv(1)
    peer.close()


def test_abort_from_another_thread(
    loop: asyncio.AbstractEventLoop, listener: socket.socket
) -> None:
    """A thread may abort (a response that is collected there, for instance); a reader wakes."""
    loop.set_debug(True)  # asyncio then refuses what is not safe
    stream, peer = pair_in(loop, listener)

    async def main() -> None:
        reading = asyncio.ensure_future(stream.receive(1, monotonic() + PATIENCE))
        await asyncio.sleep(0)
        thread = threading.Thread(target=stream.abort)
        thread.start()
        with pytest.raises(OSError, match="descriptor"):
            await reading
        thread.join()

    loop.run_until_complete(main())
    assert b"" == peer.recv(1)
    peer.close()


def test_a_cancelled_receive_loses_nothing(
    loop: asyncio.AbstractEventLoop, listener: socket.socket
) -> None:
    """The next one gets what has come, before and after."""
    stream, peer = pair_in(loop, listener)

    async def main() -> bytes:
        for late in (False, True):
            reading = asyncio.ensure_future(stream.receive(10, monotonic() + PATIENCE))
            await asyncio.sleep(0)
            if late:  # between the bytes and the task's next step
                stream.data_received(b"x")
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        before = await stream.receive(10, monotonic() + PATIENCE)
        peer.sendall(b"y")
        return before + await stream.receive(10, monotonic() + PATIENCE)

    assert b"xy" == loop.run_until_complete(main())
    loop.run_until_complete(_aborted(stream))
    peer.close()


def test_deadlines_that_are_not_reached_share_a_timer(listener: socket.socket) -> None:
    """Twenty receives with limits arm one timer, not twenty."""
    loop = asyncio.new_event_loop()
    stream, peer = pair_in(loop, listener)
    armed = []
    call_later = loop.call_later
    loop.call_later = lambda *rest, **more: armed.append(rest) or call_later(*rest, **more)  # type: ignore

    async def main() -> None:
        for _ in range(20):
            loop.call_soon(peer.sendall, b"x")
            await stream.receive(10, monotonic() + PATIENCE)
        await _aborted(stream)

    loop.run_until_complete(main())
    loop.close()
    peer.close()
    assert 1 == len(armed)


def test_a_loop_that_cannot_watch_descriptors(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting works without `add_writer`, as on Windows; failures and deadlines too."""
    loop = asyncio.new_event_loop()

    def refuse(*arguments: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(loop, "add_writer", refuse)
    monkeypatch.setattr(loop, "remove_writer", refuse)
    stream, peer = pair_in(loop, listener)
    loop.run_until_complete(_aborted(stream))
    peer.close()

    address = socket.AF_INET, listener.getsockname()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        loop.run_until_complete(runtime.connect([address], monotonic() + PATIENCE))
    loop.close()


def test_a_property_cannot_wait(loop: asyncio.AbstractEventLoop) -> None:
    """`run` says what to do instead, and leaves no coroutine behind."""
    with pytest.raises(RuntimeError, match="await response.aread"):
        runtime.run(runtime.sleep(1))
