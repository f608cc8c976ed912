"""An HTTP/2 connection (RFC 9113): what of a shared one is its own."""

from typing import TYPE_CHECKING

from gofer.messages.request import PreparedRequest
from gofer.network.shared import SharedConnection
from gofer.network.shared_head import head_of
from gofer.protocols.http1 import Limits
from gofer.protocols.http2 import Http2Protocol, never_indexed
from gofer.runtime.base import Runtime, Stream

if TYPE_CHECKING:
    from gofer.network.pool import Pool
    from gofer.network.routes import Route

__all__ = ["Http2Connection"]


class Http2Connection(SharedConnection):
    """A stream of bytes that speaks HTTP/2."""

    __slots__ = ()

    def __init__(
        self, stream: Stream, route: "Route", pool: "Pool", runtime: Runtime, limits: Limits
    ) -> None:
        super().__init__(stream, route, pool, runtime, Http2Protocol(limits, route.authority))

    def head_of(self, request: PreparedRequest) -> list[tuple[bytes, bytes]]:
        """What is secret is never put into an HPACK table (RFC 7541, 7.1.3)."""
        return head_of(request, never_indexed)
