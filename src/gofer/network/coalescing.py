"""Coalescing: a connection of HTTP/2 that serves several origins (RFC 9113, 9.1.1).

With `coalesce` a request whose origin has no connection of its own uses that of another origin, if
a new connection would have reached the same server under the same conditions:

- the routes differ in nothing but the host, and go through no proxy;
- the certificate, which was checked for the other host, is valid for this one too, and matches its
  pins;
- the host's name resolves to the address of the existing connection.

A server can still refuse: 421 (Misdirected Request, RFC 9110, 15.5.20). Then the two origins are
kept apart. Over HTTP/3 nothing is coalesced: RFC 9114, 3.3 allows it by the same rules, but qh3
does not read the names in a certificate.

State: `Coalescing` knows which connection serves a route of another origin, without keeping that
connection alive, and which origins are kept apart.
"""

from collections.abc import Iterable
from ssl import SSLContext
from typing import TYPE_CHECKING, Any
from weakref import ref

from gofer.exceptions import CertificateError, ConnectTimeout
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.bounds import make_room
from gofer.network.deadlines import earlier, timed_out
from gofer.network.names import is_literal
from gofer.network.pins import check_certificate
from gofer.network.routes import Route, server_hostname
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from gofer.network.addresses import Resolve
    from gofer.network.exchange import Network
    from gofer.network.pool import Pool
    from gofer.network.shared import SharedConnection

__all__ = ["Coalescing", "names_host", "send_by_another"]

MAX_KNOWN = 4096  # routes and pairs remembered; a crawler's must not grow without end

Origin = tuple[str, str, int]  # scheme, host, port


async def send_by_another(
    network: "Network", route: Route, request: PreparedRequest
) -> Response | None:
    """Send on a connection of another origin; None if none serves this one too.

    None as well if its server says that it does not, and the request can be sent again.

    Raises:
        RequestException: as `Network.send`.
    """
    coalescing = network.pool.coalescing
    if coalescing is None:
        coalescing = network.pool.coalescing = Coalescing()
    connection = coalescing.take(route)
    if connection is None:
        now = network.runtime.now()
        limit = earlier(request.deadline, now, request.settings.timeouts.connect)
        try:
            resolve = network.resolver(request.settings)
            connection = await coalescing.find(route, network.pool, resolve, limit)
        except TimedOut:
            raise timed_out(
                ConnectTimeout, "connect", request, network.runtime.now(), route.authority,
                f"resolving {route.host}",
            ) from None  # fmt: skip
        if connection is None:
            return None
    response = await network.send(request, route, connection)
    if response.status_code == 421:
        coalescing.keep_apart(route, connection)  # RFC 9110, 15.5.20
        if request.is_replayable():
            response.close()
            request.rewind()
            request.sent = False
            return None
    return response


class Coalescing:
    """Which connections of a pool serve other origins than those they were made for."""

    __slots__ = ("_apart", "_serving")

    def __init__(self) -> None:
        self._serving: dict[Route, ref[SharedConnection]] = {}
        self._apart: dict[tuple[Origin, Origin], None] = {}

    def take(self, route: Route) -> "SharedConnection | None":
        """A place on the connection that serves `route` already; None if there is none with room.

        Nobody is asked for the address again: a connection of its own would be used as long.
        """
        known = self._serving.get(route)
        connection = None if known is None else known()
        if connection is None or not connection.pool.join(connection):
            return None
        return connection

    async def find(
        self, route: Route, pool: "Pool", resolve: "Resolve", deadline: float | None
    ) -> "SharedConnection | None":
        """A place on one of `pool` that may serve `route`, and does from now on; None without one.

        Raises:
            TimedOut: `deadline` passed while the host was looked up.
        """
        if not _may_coalesce(route):
            return None
        candidates = [one for one in pool.all_shared() if self._fits(one, route)]
        if not candidates:
            return None
        try:
            addresses = await resolve(route.host, route.port, deadline)
        except (OSError, UnicodeError):
            return None  # connecting looks the name up again, and raises
        places = {_place(address) for _, address in addresses}
        for connection in candidates:
            if _place_of(connection) in places and pool.join(connection):
                _remember(self._serving, route, ref(connection))
                return connection
        return None

    def keep_apart(self, route: Route, connection: "SharedConnection") -> None:
        """Its server does not answer for the origin of `route`: 421 (Misdirected Request)."""
        self._serving.pop(route, None)
        _remember(self._apart, (route.origin, connection.route.origin), None)

    def _fits(self, connection: "SharedConnection", route: Route) -> bool:
        """True if `connection` has room, and its server may answer for `route`."""
        other = connection.route
        return (
            other.way == route.way
            and other.port == route.port
            and other.host != route.host
            and connection.has_room
            and (route.origin, other.origin) not in self._apart
            and _has_checked_names(connection)
            and names_host(connection.tls.subject.get("subjectAltName", ()), route.server_hostname)
            and _is_pinned(connection, route)
        )


def _may_coalesce(route: Route) -> bool:
    """True if the route is direct, by HTTP/2 over TLS, and TLS is told the host's own name."""
    return (
        route.is_tls
        and route.may_share
        and not route.is_http3
        and route.proxy is None
        and route.unix_path is None
        and route.server_hostname == server_hostname(route.host)
    )


def _has_checked_names(connection: "SharedConnection") -> bool:
    """True if it was checked whom the certificate names, as an SSLContext does it.

    With verify=False it was not. A context of another kind, a system's own store among them, has
    rules that are not known here.
    """
    context, _ = connection.stream.session  # type: ignore[attr-defined]
    return type(context) is SSLContext and context.check_hostname


def names_host(names: Iterable[tuple[str, str]], host: str) -> bool:
    """True if a certificate with these subjectAltNames is one for `host` (RFC 9110, 4.3.4).

    Never so where a handshake with OpenSSL would fail: "*" stands for one whole label, the first,
    of letters, digits and hyphens, before two others at least (RFC 9525, 6.3).

    Args:
        names: (kind, name), as `ssl.SSLSocket.getpeercert()` has them.
        host: a DNS name in ASCII, or an IP literal.
    """
    if is_literal(host):
        address = _address(host)
        return address is not None and any(
            kind == "IP Address" and _address(name) == address for kind, name in names
        )
    host = host.lower()
    label, _, parent = host.partition(".")
    accepted = {host}
    if "." in parent and label.replace("-", "").isalnum():
        accepted.add(f"*.{parent}")
    return any(kind == "DNS" and name.lower() in accepted for kind, name in names)


def _address(text: str) -> Any:
    """`text` as an address; None if it is none."""
    from ipaddress import ip_address

    try:
        return ip_address(text.strip())  # some versions of Python leave a line break there
    except ValueError:
        return None


def _is_pinned(connection: "SharedConnection", route: Route) -> bool:
    """False if the certificate is not what this host is held to, whatever the other one is."""
    if route.pins:
        try:
            check_certificate(connection.tls.certificate, route.pins, route.authority)
        except CertificateError:
            return False
    return True


def _place_of(connection: "SharedConnection") -> Any:
    """The address `connection` goes to; None if it is closed."""
    try:
        address = connection.stream.peer_address()
    except OSError:
        return None
    return None if address is None else _place(address)


def _place(address: Any) -> tuple[Any, ...]:
    """What of a socket's address says where it is: host and port, an IPv6 zone; no flow label."""
    return (*address[:2], *address[3:])


def _remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    make_room(known, MAX_KNOWN)
    known[key] = value
