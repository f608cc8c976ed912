"""The trio runtime: runs beside each other, cancelling, aborting from outside."""

import socket
import sys
import threading
from time import monotonic
from typing import Any

import pytest
import trio
import trio.testing

from gofer.runtime.trio import runtime

PATIENCE = 20.0  # seconds; never reached when all is well


def test_runs_beside_each_other() -> None:
    """A run in another thread is not over because it is not ours; one that has ended is."""
    tokens: list[Any] = []
    is_running, may_end = threading.Event(), threading.Event()

    async def other() -> None:
        tokens.append(runtime.loop())
        is_running.set()
        while not may_end.is_set():
            await trio.sleep(0.001)

    async def main(expected: bool) -> None:
        assert expected == runtime.is_over(tokens[0])
        assert not runtime.is_over(runtime.loop())
        assert not runtime.is_over("a loop of another library")

    thread = threading.Thread(target=trio.run, args=(other,))
    thread.start()
    try:
        assert is_running.wait(PATIENCE)
        trio.run(main, False)
    finally:
        may_end.set()
        thread.join(PATIENCE)
    trio.run(main, True)


def test_abort_wakes_a_reader() -> None:
    """A task inside `receive` goes on when another aborts, and abort works outside trio."""

    async def main() -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = socket.AF_INET, listener.getsockname()
            streams = [await runtime.connect([address], monotonic() + PATIENCE) for _ in "ab"]
            peers = [listener.accept()[0] for _ in streams]

        async def read() -> None:
            with pytest.raises(OSError, match="descriptor"):
                await streams[0].receive(1, monotonic() + PATIENCE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            streams[0].abort()
        for peer in peers:
            peer.close()
        return streams[1]

    trio.run(main).abort()


@pytest.mark.parametrize("is_receiver_first", [True, False])
def test_a_full_socket_and_somebody_who_receives(is_receiver_first: bool) -> None:
    """Who sends listens too, and stands back for whoever receives: trio lets one task wait."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = socket.AF_INET, listener.getsockname()
            stream = await runtime.connect([address], monotonic() + PATIENCE)
            peer = listener.accept()[0]
        sent = 0

        async def send() -> None:
            nonlocal sent
            while sent < 32 << 20:
                sent += await stream.send_some(memoryview(bytes(1 << 20)), monotonic() + PATIENCE)

        async def receive() -> None:
            assert b"one" == await stream.receive(3, monotonic() + PATIENCE)
            assert b"two" == await stream.receive(3, monotonic() + PATIENCE)

        async with trio.open_nursery() as nursery:
            for one in (receive, send) if is_receiver_first else (send, receive):
                nursery.start_soon(one)
                await trio.testing.wait_all_tasks_blocked()
            peer.send(b"one")
            await trio.testing.wait_all_tasks_blocked()
            peer.send(b"two")
            await trio.testing.wait_all_tasks_blocked()
            assert sent < 32 << 20
            nursery.start_soon(trio.to_thread.run_sync, _take_all, peer, 32 << 20)
        stream.abort()
        peer.close()

    trio.run(main)


def _take_all(peer: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(peer.recv(1 << 20))


def test_a_property_cannot_wait() -> None:
    """`run` says what to do instead, and leaves no coroutine behind."""
    with pytest.raises(RuntimeError, match="await response.aread"):
        runtime.run(runtime.sleep(1))


def test_without_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the runtime is told what to install."""
    monkeypatch.setitem(sys.modules, "trio", None)
    monkeypatch.delitem(sys.modules, "gofer.runtime.trio")

    with pytest.raises(ImportError, match=r"pip install gofer\[trio\]"):
        __import__("gofer.runtime.trio")
