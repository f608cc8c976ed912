"""A connection of an event loop: an `asyncio.Protocol` as a `Stream`.

It has one buffer, one waiter for each direction and one timer, which is armed anew only when it
fires too early: a deadline that is not reached costs a comparison.
"""

import asyncio
import contextlib
import socket
from time import monotonic
from typing import Any

from gofer.runtime.base import Sender, TimedOut
from gofer.runtime.sockets import closed, probe

__all__ = ["MOST_UNREAD", "AsyncioStream"]

RECEIVE = 64 * 1024  # bytes at a time, where the loop does not receive for us
MOST_UNREAD = 1024 * 1024  # bytes received and not read yet, before we stop receiving
MOST_UNSENT = 256 * 1024  # bytes in the transport's buffer, before `send` waits


class AsyncioStream(asyncio.Protocol):
    """A connection of an event loop. One task may send while another receives."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()
        self._received: list[bytes] = []
        self._count = 0  # bytes received and not read yet
        self._is_reading = True
        self._is_over = False  # nothing more will come
        self._is_aborted = False
        self._error: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._sender: Sender | None = None  # to be told when all is out
        self._read_deadline: float | None = None
        self._write_deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0  # when the timer fires
        self._descriptor = -1
        self._probe: Any = None

    # What the loop tells --------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # say when all is out, not before
        self._descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._count += len(data)
        reader = self._reader
        if reader is not None:
            self._wake_reader(reader)
        elif self._count > MOST_UNREAD and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()
        self._wake_writer_for_news()

    def eof_received(self) -> bool:
        self._is_over = True
        if self._reader is not None:
            self._wake_reader(self._reader)
        self._wake_writer_for_news()
        return True  # it may still take what we send

    def connection_lost(self, error: Exception | None) -> None:
        self._is_over = True
        if not self._is_aborted:
            self._error = error
        if error is not None:
            self._read_the_rest()
        self._descriptor = -1
        self._stop_timer()
        if self._reader is not None:
            self._wake_reader(self._reader)
        if self._writer is not None:
            writer, self._writer = self._writer, None
            if not writer.done():
                writer.set_result(None)

    def pause_writing(self) -> None:
        pass  # `_is_drained` asks the transport itself

    def resume_writing(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:  # not here: it may abort, and the transport is in the middle of it
            self._loop.call_soon(sender.flush)
        writer = self._writer
        if writer is not None and not writer.done():
            writer.set_result(None)

    def _wake_reader(self, reader: "asyncio.Future[None]") -> None:
        self._reader = None
        if not reader.done():
            reader.set_result(None)

    def _wake_writer_for_news(self) -> None:
        writer = self._writer
        if writer is not None and not writer.done():
            writer.set_result(None)

    # Receiving ------------------------------------------------------------------------------------

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """What has come, at most `max_bytes`, at least one byte; b"" at the end of the stream."""
        received = self._received
        if not received and not await self._has_more(deadline):
            return b""
        data = received[0]
        if len(data) <= max_bytes:
            if len(received) == 1:
                received.clear()
            else:
                del received[0]
        else:
            received[0] = data[max_bytes:]
            data = data[:max_bytes]
        self._took(len(data))
        return data

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`: the number of bytes, 0 at the end of the stream."""
        data = await self.receive(len(buffer), deadline)
        count = len(data)
        buffer[:count] = data
        return count

    def receive_now(self) -> bytes:
        """What has come and needs no waiting; b"" if that is nothing, or the end, or an error."""
        if self._transport.is_closing():
            self._read_the_rest()
        data = b"".join(self._received)
        self._received.clear()
        self._took(len(data))
        return data

    def _read_the_rest(self) -> None:
        """Take what had come before the connection broke.

        A transport that cannot write gives up at once, and reads no more: but it is there that the
        peer has said why.
        """
        if self._is_aborted or self._descriptor == -1:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(fileno=socket.dup(self._descriptor)) as sock,
        ):
            sock.setblocking(False)
            while self._count <= MOST_UNREAD and (data := sock.recv(RECEIVE)):
                self._received.append(data)
                self._count += len(data)

    async def _has_more(self, deadline: float | None) -> bool:
        """Wait until something has come; False if that is the end."""
        while not self._received:
            if self._error is not None:
                raise self._error
            if self._is_aborted:
                raise closed()
            if self._is_over:
                return False
            reader = self._reader = self._loop.create_future()
            if deadline is not None:
                self._read_deadline = deadline
                self._arm(deadline)
            try:
                await reader
            finally:
                self._reader = None
                self._read_deadline = None
        return True

    def _took(self, count: int) -> None:
        self._count -= count
        if not self._is_reading and self._count <= MOST_UNREAD // 2 and not self._is_over:
            self._is_reading = True
            self._transport.resume_reading()

    # Sending --------------------------------------------------------------------------------------

    async def send(self, data: bytes, deadline: float | None) -> None:
        """Send all of `data`; what the transport still has of little is its own affair."""
        self._write(data, deadline)
        while self._transport.get_write_buffer_size() > MOST_UNSENT:
            await self._writer_woken(deadline)

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send a part of `data` and say how much it was.

        0 means that nothing fits while the peer has something to say: an early answer, or the end.
        """
        self._check()
        if not await self._is_drained(deadline):
            return 0
        piece = _kept(data[:MOST_UNSENT])
        self._write(piece, deadline)
        return len(piece)

    def send_now(self, data: memoryview) -> int:
        """Send what fits now and say how much it was; the transport has it then."""
        self._check()
        if self._transport.get_write_buffer_size() > MOST_UNSENT:
            return 0
        self._transport.write(_kept(data[:MOST_UNSENT]))
        return min(len(data), MOST_UNSENT)

    def send_soon(self, sender: Sender) -> bool:
        """When those tasks that can go on have done so; or when what was sent before is out."""
        if self._transport.get_write_buffer_size() > MOST_UNSENT:
            self._sender = sender
        else:
            self._loop.call_soon(sender.flush)
        return True

    def _write(self, data: Any, deadline: float | None) -> None:
        self._check()
        if deadline is not None and deadline <= monotonic():
            raise TimedOut
        self._transport.write(data)

    def _check(self) -> None:
        """Raise what ended the connection, if something has."""
        if self._is_aborted or self._transport.is_closing():
            raise self._error or closed()

    async def _is_drained(self, deadline: float | None) -> bool:
        """Wait until everything has gone out; False if the peer speaks before that."""
        while self._transport.get_write_buffer_size() > 0:
            if self._received or self._is_over:
                return False
            await self._writer_woken(deadline)
        return True

    async def _writer_woken(self, deadline: float | None) -> None:
        """Wait until everything has gone out or there is news, if only that the peer speaks."""
        writer = self._writer = self._loop.create_future()
        if deadline is not None:
            self._write_deadline = deadline
            self._arm(deadline)
        try:
            await writer
        finally:
            self._writer = None
            self._write_deadline = None
        self._check()

    # Time -----------------------------------------------------------------------------------------

    def _arm(self, deadline: float) -> None:
        """See to it that a timer looks at us at `deadline` or before."""
        if self._timer is not None:
            if self._armed <= deadline:
                return
            self._timer.cancel()
        self._armed = deadline
        delay = max(0.0, deadline - monotonic())
        self._timer = self._loop.call_later(delay, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        now = monotonic()
        for waiter, deadline in (
            (self._reader, self._read_deadline),
            (self._writer, self._write_deadline),
        ):
            if waiter is None or deadline is None or waiter.done():
                continue
            if deadline <= now:
                waiter.set_exception(TimedOut())
            else:
                self._arm(deadline)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Its life -------------------------------------------------------------------------------------

    def is_readable(self) -> bool:
        """True if bytes, the end or an error are waiting: an idle connection then is not clean."""
        if self._received or self._is_over or self._is_aborted:
            return True
        if self._probe is None:
            self._probe = probe(self._descriptor)
        return bool(self._probe.poll(0))  # the loop may not have read it yet

    def abort(self) -> None:
        """Close at once and without waiting, from any thread, also when the loop is closed.

        The socket itself is closed in the loop's next turn, or with the loop if none comes.
        """
        if self._is_aborted:
            return
        self._is_aborted = True
        self._is_over = True
        transport = self._transport
        if transport is None:
            return
        if asyncio._get_running_loop() is self._loop:
            self._stop_timer()
            transport.abort()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(_Abort(transport))

    def fileno(self) -> int:
        """The socket's file descriptor, -1 after `abort`."""
        return -1 if self._is_aborted else self._descriptor

    def peer_address(self) -> Any:
        """The address that is connected to, in the form `resolve` gives."""
        return self._transport.get_extra_info("peername")

    def __repr__(self) -> str:
        return f"<AsyncioStream fd={self.fileno()}>"


def _kept(data: memoryview) -> bytes | memoryview:
    """`data` for a transport that keeps it without a copy: uvloop, and asyncio since 3.12."""
    return data if type(data.obj) is bytes else bytes(data)


class _Abort:
    """Aborts a transport in the loop's next turn; closes the socket if that never comes."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __call__(self) -> None:
        transport, self._transport = self._transport, None
        transport.abort()

    def __del__(self) -> None:
        if self._transport is not None:
            _close_quietly(self._transport)


def _close_quietly(transport: Any) -> None:
    """Close the socket of a transport whose loop is gone, and keep it from complaining.

    uvloop has closed its own with the loop; its number may be another file's by now.
    """
    own = getattr(transport, "_sock", None)
    if own is not None:
        own.close()
        transport._sock = None
