"""TLS sessions that a new connection can go on with, instead of a handshake (RFC 8446, 2.2).

By route, which holds everything that a connection's trust depends on; and by context, since a
certificate file that has changed makes another one. State: `TlsSessions._known`.
"""

from typing import Any

from gofer.network.bounds import make_room
from gofer.network.routes import Route

__all__ = ["TlsSessions"]

MAX_SESSIONS = 256  # kept, some kilobytes each; the latest


class TlsSessions:
    """The latest session of each route."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Route, tuple[Any, Any]] = {}

    def find(self, route: Route, context: Any) -> Any:
        """A session for `context.wrap_bio`; None if there is none."""
        known = self._known.get(route)
        return known[1] if known is not None and known[0] is context else None

    def keep(self, route: Route, stream: Any) -> None:
        """Keep the session of a connection on which something has come: its ticket too, then."""
        context, session = stream.session
        if session is None or not (session.has_ticket or session.id):
            return
        make_room(self._known, MAX_SESSIONS)
        self._known[route] = context, session
