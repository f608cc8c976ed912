"""Bytes in both directions, after a request has switched to another protocol.

Over an HTTP/1.1 connection that the other protocol takes over (RFC 9110, 7.8), or over one stream
of a shared connection (RFC 8441, RFC 9220). One task may send while another receives.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from gofer.exceptions import ConnectionLost
from gofer.network.endings import keep, when_dropped
from gofer.network.http1_content import RECEIVE
from gofer.network.shared_content import has_news
from gofer.network.turns import Turns
from gofer.protocols.streams import ResponseStream

if TYPE_CHECKING:
    from gofer.network.http1 import Http1Connection
    from gofer.network.shared import SharedConnection

__all__ = ["Duplex", "Http1Duplex", "SharedDuplex"]

MAX_QUEUED = 64 * 1024  # bytes that wait for the peer's windows before the sender does

ENDED = "the protocol that it was given over to has ended"  # why a connection is not kept


class Duplex(Protocol):
    """What another protocol is spoken over. One that is dropped is aborted.

    Attributes:
        hang_up: seconds that the peer may have to end its side, when all has been said.
    """

    hang_up: float

    def queue(self, data: bytes, *, is_last: bool = False) -> None:
        """Send `data` when `flush` is next awaited, by anybody, behind what is queued already.

        Args:
            is_last: nothing will follow; what is queued all the same is left out.
        """

    async def flush(self, deadline: float | None) -> bool:
        """Send what is queued. Whoever is interrupted leaves the rest to the next.

        Returns:
            False if nothing fits while the peer has something to say, which has to be heard.

        Raises:
            TimedOut, OSError.
        """

    def flush_now(self) -> None:
        """Send of what is queued what needs no waiting, unless somebody is at it.

        Raises:
            OSError.
        """

    async def receive(self, deadline: float | None) -> bytes:
        """What has come, b"" at the end. One task at a time.

        What is queued, and nobody sends, goes out meanwhile.

        Raises:
            TimedOut, OSError.
        """

    def abort(self) -> None:
        """End it at once and without waiting. Safe to call twice."""


class Http1Duplex:
    """A connection that spoke HTTP/1.1.

    Who closes it first has to remember it for minutes, so the peer is waited for (RFC 6455, 7.1.1).

    Args:
        received: what came behind the head.
    """

    hang_up = 1.0
    __slots__ = (
        "__weakref__",
        "_connection",
        "_ending",
        "_queue",
        "_received",
        "_turns",
        "_unsent",
    )

    def __init__(self, connection: "Http1Connection", received: bytes) -> None:
        self._connection = connection
        self._ending = when_dropped(self, connection.close, ENDED)
        self._received = received
        self._queue: deque[bytes] = deque()
        self._unsent = memoryview(b"")  # perhaps partly sent; for the task whose turn it is
        self._turns = Turns(connection.runtime)
        stream: Any = connection.stream
        if hasattr(stream, "share"):  # TLS
            stream.share()

    def queue(self, data: bytes, *, is_last: bool = False) -> None:  # noqa: ARG002  (closing says so)
        self._queue.append(data)

    async def flush(self, deadline: float | None) -> bool:
        while True:
            await self._turns.take(deadline)
            try:
                if not await self._send(deadline):
                    return False
            finally:
                self._turns.leave()
            if not self._queue:  # else somebody found us at it, when we had done
                return True

    async def _send(self, deadline: float | None) -> bool:
        """`flush`, when it is our turn."""
        stream = self._connection.stream
        while self._has_more():
            if self._received:  # news too, of which the stream knows nothing any more
                count = stream.send_now(self._unsent)
            else:
                count = await stream.send_some(self._unsent, deadline)
            if not count:
                return False
            self._unsent = self._unsent[count:]
        return True

    def _has_more(self) -> bool:
        """Have something to send in `_unsent`; False if that was all."""
        if not self._unsent and self._queue:
            self._unsent = memoryview(self._queue.popleft())
        return bool(self._unsent)

    def flush_now(self) -> None:
        while (self._unsent or self._queue) and self._turns.take_now():
            try:
                while self._has_more():
                    count = self._connection.stream.send_now(self._unsent)
                    if not count:
                        return
                    self._unsent = self._unsent[count:]
            finally:
                self._turns.leave()

    async def receive(self, deadline: float | None) -> bytes:
        if self._received:
            data, self._received = self._received, b""
            return data
        stream = self._connection.stream
        is_left = bool(self._unsent or self._queue)
        if is_left and not stream.is_readable() and self._turns.take_now():
            try:
                await self._send(deadline)  # all, or what fits before the peer speaks
            finally:
                self._turns.leave()
        return await stream.receive(RECEIVE, deadline)

    def abort(self) -> None:
        keep(self._ending)
        self._connection.close(ENDED)


class SharedDuplex:
    """One stream of a connection that others share."""

    hang_up = 0.25  # hypercorn never ends its side
    __slots__ = ("__weakref__", "_connection", "_ending", "_outlet", "_stream")

    def __init__(self, connection: "SharedConnection", stream: ResponseStream) -> None:
        self._connection: SharedConnection | None = connection
        self._stream = stream
        self._ending = when_dropped(self, connection.abandon, stream)
        self._outlet = connection.open_outlet(stream)

    def queue(self, data: bytes, *, is_last: bool = False) -> None:
        if self._connection is not None:
            self._connection.queue(self._stream, data, is_last=is_last)

    async def flush(self, deadline: float | None) -> bool:
        connection = self._connection
        if connection is None:
            raise ConnectionLost("the stream was let go of")
        await connection.drain(self._stream, self._outlet, self._may_go_on, deadline)
        return self._has_room()

    def flush_now(self) -> None:
        if self._connection is not None:
            self._connection.send_without_waiting()

    def _may_go_on(self, _outlet: ResponseStream) -> bool:
        return self._has_room() or bool(self._stream.pieces)

    def _has_room(self) -> bool:
        stream, connection = self._stream, self._connection
        return (
            connection is None or stream.is_over or connection.protocol.queued(stream) < MAX_QUEUED
        )

    async def receive(self, deadline: float | None) -> bytes:
        stream = self._stream
        while (connection := self._connection) is not None:
            if stream.pieces:
                return b"".join(connection.take_pieces(stream))
            if stream.is_over:
                break
            await connection.until(stream, has_news, deadline)
        return b""

    def abort(self) -> None:
        connection = self._connection
        if connection is not None:
            self._connection = None
            keep(self._ending)
            connection.break_off(self._stream)
