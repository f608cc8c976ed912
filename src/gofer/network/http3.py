"""An HTTP/3 connection (RFC 9114): what of a shared one is its own."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from gofer.messages.hosts import authority
from gofer.messages.request import PreparedRequest
from gofer.network.shared import SharedConnection
from gofer.network.shared_head import head_of
from gofer.network.sharing import GLANCE, is_over
from gofer.protocols.http3 import Http3Protocol
from gofer.runtime.base import Datagrams, Runtime, TimedOut

if TYPE_CHECKING:
    from gofer.network.pool import Pool
    from gofer.network.routes import Route

__all__ = ["Http3Connection"]


class Http3Connection(SharedConnection):
    """Datagrams that speak HTTP/3."""

    __slots__ = ("_alternative", "_process")

    stream: Datagrams
    protocol: Http3Protocol

    def __init__(
        self,
        stream: Datagrams,
        route: "Route",
        pool: "Pool",
        runtime: Runtime,
        protocol: Http3Protocol,
    ) -> None:
        super().__init__(stream, route, pool, runtime, protocol)
        self._process = os.getpid()
        self._alternative: list[tuple[bytes, bytes]] = []
        if route.target != (route.host, route.port):
            self._alternative = [(b"alt-used", authority(*route.target).encode())]

    async def shake_hands(self, deadline: float | None) -> None:
        """Return when the connection can be used.

        Raises:
            TimedOut: `deadline` passed first.
            RequestException: it cannot.
        """
        await self._send(deadline)
        await self.until(self.protocol.handshake, is_over, deadline)

    async def has_news(self, deadline: float) -> bool:
        """True if the peer has said something by now; nothing is waited for.

        Of somebody who has not answered yet only that counts, and not what others may send.
        """
        runtime, stream = self.runtime, self.stream
        while not self.protocol.has_heard:
            now = runtime.now()
            if self.closing is not None or now >= deadline or not stream.is_readable():
                return False
            with suppress(TimedOut):
                await self._glance(min(deadline, now + GLANCE))
        return True

    def head_of(self, request: PreparedRequest) -> list[tuple[bytes, bytes]]:
        """The head, with Alt-Used if the server is an alternative service (RFC 7838, 5)."""
        return head_of(request, None) + self._alternative

    async def _come(self, deadline: float | None) -> Sequence[bytes]:
        return await self.stream.receive_several(deadline)

    def close(self, reason: str) -> None:
        """Close at once, and tell the peer, which would otherwise keep the connection for a while.

        The collector may call this where this very thread holds the lock: then nobody is told. Nor
        in a forked child, for the connection is the parent's.
        """
        if self._process == os.getpid() and self._lock.acquire(False):
            try:
                last = self.protocol.goodbye(self.runtime.now())
            finally:
                self._lock.release()
            with suppress(OSError):
                for datagram in last:
                    self.stream.send_now(memoryview(datagram))
        super().close(reason)
