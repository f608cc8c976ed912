"""TLS sessions that a new connection can go on with, instead of a handshake (RFC 8446, 2.2).

By route, which holds everything that a connection's trust depends on; and by context, since a
certificate file that has changed makes another one. State: `TlsSessions._known`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gofer.network.bounds import make_room
from gofer.network.routes import Route

if TYPE_CHECKING:
    from gofer.network.tls_info import TLSInfo

__all__ = ["TlsSessions"]

MAX_SESSIONS = 256  # kept, some kilobytes each; the latest


class TlsSessions:
    """The latest session of each route, and the certificates that came with it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Route, tuple[Any, Any, Sequence[bytes]]] = {}

    def find(self, route: Route, context: Any) -> tuple[Any, Sequence[bytes]] | None:
        """What `TLSStream` can go on with; None if there is nothing."""
        known = self._known.get(route)
        return known[1:] if known is not None and known[0] is context else None

    def keep(self, route: Route, stream: Any, tls: "TLSInfo") -> None:
        """Keep the session of a connection on which something has come: its ticket too, then."""
        context, session = stream.session
        if session is None or not (session.has_ticket or session.id):
            return
        make_room(self._known, MAX_SESSIONS)
        self._known[route] = context, session, tls.chain
