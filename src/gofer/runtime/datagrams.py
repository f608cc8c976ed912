"""A connected UDP socket: written once, over the leaf of a runtime's own stream.

What is sent is one datagram at a time, and it goes or is lost: nothing here waits for it. A runtime
joins `DatagramSocket` to its stream, which knows how to wait.
"""

import errno
import socket
from typing import Any

__all__ = ["LARGEST", "DatagramSocket", "was_lost"]

LARGEST = 65535  # bytes of a datagram
MOST_AT_ONCE = 64  # datagrams handed out together, so that others have their turn

# What the system says to a datagram that it will not carry. QUIC will find that it was lost.
_LOST = {errno.EMSGSIZE, errno.ENOBUFS, errno.EPERM, errno.ENETUNREACH, errno.EHOSTUNREACH}


def was_lost(error: OSError) -> bool:
    """True if `error` says no more than that one datagram did not go."""
    return error.errno in _LOST


class DatagramSocket:
    """What differs from a stream over a socket."""

    __slots__ = ()
    _socket: socket.socket

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """The next datagram; it may be empty."""
        raise NotImplementedError

    async def receive_several(self, deadline: float | None) -> list[bytes]:
        """The datagrams that have come, at least one.

        Raises:
            TimedOut: the deadline passed first.
            OSError: nobody listens at the other end, or the socket was closed.
        """
        received = [await self.receive(LARGEST, deadline)]
        flags = getattr(socket, "MSG_DONTWAIT", 0)  # without it the socket itself does not wait
        try:
            while len(received) < MOST_AT_ONCE:
                received.append(self._socket.recv(LARGEST, flags))
        except BlockingIOError:
            pass
        return received

    async def send_some(self, data: memoryview, _deadline: float | None) -> int:
        """Send `data`, one datagram; one for which there is no room is lost."""
        return self.send_now(data)

    def send_now(self, data: memoryview) -> int:
        """Send `data`, one datagram; one for which there is no room is lost."""
        try:
            self._socket.send(data)
        except BlockingIOError:
            pass
        except OSError as error:
            if not was_lost(error):
                raise
        return len(data)

    def local_address(self) -> Any:
        """The address and port that datagrams are sent from."""
        return self._socket.getsockname()
