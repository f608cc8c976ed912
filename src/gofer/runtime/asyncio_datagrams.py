"""A connected UDP socket of an event loop."""

import asyncio
import errno
import socket
from typing import Any

from gofer.runtime.asyncio_stream import MOST_UNREAD, AsyncioStream
from gofer.runtime.datagrams import was_lost

__all__ = ["AsyncioDatagrams", "datagrams_of"]


async def datagrams_of(sock: socket.socket) -> "AsyncioDatagrams":
    """`sock`, connected and non-blocking, as datagrams; closed if that fails."""
    datagrams = AsyncioDatagrams()
    loop = asyncio.get_running_loop()
    try:
        await loop.create_datagram_endpoint(lambda: datagrams, sock=sock)
    except BaseException:
        datagrams.abort()  # uvloop leaves its transport open when somebody cancels this
        if datagrams._transport is None:
            sock.close()
        raise
    return datagrams


class AsyncioDatagrams(AsyncioStream, asyncio.DatagramProtocol):
    """See `datagrams.DatagramSocket`. What comes while too much is unread is lost."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._is_aborted:
            transport.abort()

    def datagram_received(self, data: bytes, _sender: Any) -> None:
        if self._count > MOST_UNREAD:
            return
        self._received.append(data)
        self._count += len(data)
        if self._reader is not None:
            self._wake_reader(self._reader)

    def error_received(self, error: Exception) -> None:
        if isinstance(error, OSError) and was_lost(error):
            return
        self._error = error
        if self._reader is not None:
            self._wake_reader(self._reader)

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """The next datagram; it may be empty."""
        if not self._received:
            await self._has_more(deadline)
        data = self._received.pop(0)
        self._count -= len(data)
        return data[:max_bytes]

    async def receive_several(self, deadline: float | None) -> list[bytes]:
        """The datagrams that have come, at least one; see `DatagramSocket.receive_several`."""
        if not self._received:
            await self._has_more(deadline)
        received, self._received, self._count = self._received, [], 0
        return received

    async def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        """Send `data`, one datagram."""
        await self.send_some(memoryview(data), deadline)

    async def send_some(self, data: memoryview, _deadline: float | None) -> int:
        """Send `data`, one datagram."""
        return self.send_now(data)

    def send_now(self, data: memoryview) -> int:
        """Send `data`, one datagram; the transport has it then."""
        self._check()
        if self._transport.get_write_buffer_size() <= MOST_UNREAD:
            try:
                self._transport.sendto(bytes(data))
            except RuntimeError as error:  # uvloop says so when its loop has ended
                raise OSError(errno.EBADF, str(error)) from error
        return len(data)

    def local_address(self) -> Any:
        """The address and port that datagrams are sent from."""
        return self._transport.get_extra_info("sockname")
