"""Making a connection along a route: look up, connect, ask the proxy for a tunnel, speak TLS.

`dial` does all of it within one deadline and names what went wrong: which step, with whom. It
holds no state. Whatever fails, even a cancellation, the socket is closed before it is heard of.

The runtime connects to several addresses (RFC 8305); TLS is the business of `network/tls.py`.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from gofer.exceptions import (
    ConnectionRefused,
    ConnectTimeout,
    NameResolutionError,
    ProxyError,
    RequestException,
    TunnelRefused,
)
from gofer.messages.hosts import authority
from gofer.network.proxies import Proxy
from gofer.network.routes import HTTP_1_1, Route, server_hostname
from gofer.runtime.base import Runtime, Stream, TimedOut

if TYPE_CHECKING:
    from ssl import SSLContext

    from gofer.network.addresses import Resolve
    from gofer.network.tls import TLSStream
    from gofer.network.tls_sessions import TlsSessions
    from gofer.network.tunnels import Spaces, Untried

__all__ = ["Step", "dial", "look_up"]


async def dial(
    route: Route,
    runtime: Runtime,
    deadline: float | None,
    *,
    resolve: "Resolve | None" = None,
    user_agent: str | None = None,
    spaces: "Spaces | None" = None,
    sessions: "TlsSessions | None" = None,
) -> Stream:
    """An open stream on which the route's origin, or its forwarding proxy, can be spoken to.

    Args:
        deadline: for all the steps together; the caller knows which limit it stands for.
        resolve: looks names up instead of the runtime. What it raises that is not an OSError
            passes untouched, so it may also refuse an address.
        user_agent: for CONNECT; nothing else of a request is shown to the proxy.
        spaces: what proxies have asked for by Digest, and will be asked for anew.
        sessions: of earlier connections, to go on with in TLS.

    Raises:
        NameResolutionError: the origin's name has no address.
        ConnectionRefused: none of its addresses, or not the unix socket, took the connection.
        ProxyError: the proxy could not be reached or broke the rules; `TunnelRefused` if it
            answered with a status code other than 2xx.
        SSLError: TLS with the origin failed; `CertificateError` if it is not to be trusted, or
            is none that is pinned.
        ConnectTimeout: the deadline passed; the message names the step.
        OSError: a certificate file that is not there. Nothing was connected to then.
    """
    spaces = {} if spaces is None else spaces
    untried: Untried = {}
    challenges = len(route.proxies)  # each may have one
    while True:
        try:
            return await _dial(
                route, runtime, deadline, resolve, user_agent, spaces, sessions, untried
            )
        except TunnelRefused as refusal:
            if not (refusal.is_challenge and challenges):
                raise
            challenges -= 1
        except ProxyError as refusal:
            if not refusal.has_others:
                raise


async def _dial(
    route: Route,
    runtime: Runtime,
    deadline: float | None,
    resolve: "Resolve | None",
    user_agent: str | None,
    spaces: "Spaces",
    sessions: "TlsSessions | None",
    untried: "Untried",
) -> Stream:
    """As `dial`; a proxy that wants Digest for the first time refuses, and so does one that cannot
    reach the first address of a host."""
    origin_context, proxy_context = _contexts(route)
    step = Step()
    stream: Stream | None = None
    try:
        find = partial(look_up, deadline=deadline, resolve=resolve or runtime.resolve, step=step)
        stream = await _reach(route, runtime, deadline, find, step)
        for proxy, target in _hops(route):
            if proxy.scheme == "https":
                step.name = f"speaking TLS with {proxy}"
                stream = await _secure_proxy(stream, proxy_context, proxy, deadline)
            if target is None:
                break
            from gofer.network.tunnels import by_connect, by_socks

            step.name = f"asking {proxy} for a tunnel"
            if proxy.is_socks:
                await by_socks(stream, proxy, *target, deadline, find, untried)
            else:
                await by_connect(stream, proxy, *target, deadline, user_agent, spaces)
        if origin_context is not None:
            step.name = "speaking TLS"
            stream = secured = await _secure(
                stream, origin_context, route.server_hostname, route.host, route.port, deadline,
                alpn=route.alpn,
                session=None if sessions is None else sessions.find(route, origin_context),
            )  # fmt: skip
            if route.pins:
                from gofer.network.pins import check_certificate

                check_certificate(secured.peer_certificate, route.pins, route.authority)
        return stream
    except TimedOut as late:
        _abort(stream)
        raise step.too_late(route, late) from None
    except BaseException:
        _abort(stream)
        raise


class Step:
    """What is being done at the moment, to be named if the deadline passes."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = "dialing"

    def too_late(self, route: Route, late: TimedOut) -> ConnectTimeout:
        """The error for it, with what is known of each address that was tried."""
        message = f"connecting to {route.authority}: {self.name} took longer than the connect limit"
        return ConnectTimeout("; ".join([message, *getattr(late, "__notes__", ())]))


def _abort(stream: Stream | None) -> None:
    if stream is not None:
        stream.abort()


def _contexts(route: Route) -> "tuple[SSLContext | None, SSLContext | None]":
    """The TLS contexts for the origin and for the proxy, each None if that hop is plain.

    The proxy is trusted as the origin is (as in Requests), but never shown the client
    certificate, and spoken to in HTTP/1.1.
    """
    proxy_is_tls = any(proxy.scheme == "https" for proxy in route.proxies)
    if not route.is_tls and not proxy_is_tls:
        return None, None
    from gofer.network.trust import context_for  # importing ssl costs 10 ms

    rules = route.tls_rules
    return (
        context_for(route.verify, route.cert, alpn=route.alpn, rules=rules)
        if route.is_tls
        else None,
        context_for(route.verify, None, alpn=HTTP_1_1, rules=rules) if proxy_is_tls else None,
    )


def _hops(route: Route) -> Iterable[tuple[Proxy, tuple[str, int] | None]]:
    """Each proxy, and where a tunnel leads from it; None if it gets the request itself."""
    proxies = route.proxies
    targets = [(proxy.host, proxy.port) for proxy in proxies[1:]]
    last = (route.host, route.port) if route.is_tunnel else None
    return zip(proxies, [*targets, last], strict=False)


async def _reach(
    route: Route, runtime: Runtime, deadline: float | None, find: Any, step: Step
) -> Stream:
    """A stream to the next hop: the unix socket, the first proxy, or the origin."""
    if route.unix_path is not None:
        step.name = f"connecting to the unix socket {route.unix_path}"
        try:
            return await runtime.connect_unix(route.unix_path, deadline)
        except OSError as exc:
            raise ConnectionRefused(f"{step.name}: {exc.strerror or exc}") from exc

    proxy = route.proxies[0] if route.proxies else None
    if proxy is None:
        host, port = route.host, route.port
    else:
        host, port = proxy.host, proxy.port
        step.name = f"reaching the proxy {proxy}"

    try:
        addresses = await find(host, port)
    except NameResolutionError as exc:
        raise _unreachable(NameResolutionError, proxy, str(exc)) from exc.__cause__

    doing = f"connecting to {authority(host, port)}"
    if route.source_address is not None:
        doing += f" from {_shown(route.source_address)}"
    if route.socket_options:
        doing += " with socket_options"  # which may be wrong: a card that is not there
    if proxy is None:
        step.name = doing
    try:
        if route.source_address is None and not route.socket_options:
            return await runtime.connect(addresses, deadline)
        return await runtime.connect(
            addresses,
            deadline,
            source_address=route.source_address,
            socket_options=route.socket_options,
        )
    except OSError as exc:
        reason = "; ".join(getattr(exc, "__notes__", ())) or exc.strerror or exc
        raise _unreachable(ConnectionRefused, proxy, f"{doing}: {reason}") from exc


def _shown(source_address: tuple[str, int]) -> str:
    """An address to connect from; port 0 is any."""
    host, port = source_address
    return authority(host, port) if port else host


def _unreachable(
    error: type[RequestException], proxy: Proxy | None, message: str
) -> RequestException:
    """`error`, or ProxyError if it was the proxy that could not be reached, as in Requests."""
    if proxy is None:
        return error(message)
    return ProxyError(f"reaching the proxy {proxy}: {message}")


async def look_up(
    host: str, port: int, deadline: float | None, resolve: "Resolve", step: Step
) -> list[tuple[Any, ...]]:
    """The addresses of `host`, at least one.

    Raises:
        NameResolutionError: there are none.
    """
    before, step.name = step.name, f"resolving {host}"
    try:
        addresses = await resolve(host, port, deadline)
    except RequestException:
        raise  # an OSError too, but one that has its name already: a hook refused the address
    except (OSError, UnicodeError) as exc:  # UnicodeError: Python's idna codec, on long labels
        reason = getattr(exc, "strerror", None) or exc
        raise NameResolutionError(f"{step.name}: {reason}") from exc
    if not addresses:
        raise NameResolutionError(f"{step.name}: got no address")
    step.name = before
    return addresses


async def _secure(
    stream: Stream,
    context: "SSLContext",
    hostname: str,
    host: str,
    port: int,
    deadline: float | None,
    *,
    alpn: tuple[str, ...] = HTTP_1_1,
    session: Any = None,
) -> "TLSStream":
    """TLS over `stream`, with errors that name host and port."""
    from gofer.network.tls import TLSStream, explain

    try:
        return await TLSStream.start(
            stream, context, hostname, deadline, alpn=alpn, session=session
        )
    except OSError as exc:
        raise explain(exc, host, port) from exc


async def _secure_proxy(
    stream: Stream, context: Any, proxy: Proxy, deadline: float | None
) -> Stream:
    """TLS with the proxy itself; that failing is the proxy's fault, not the origin's."""
    try:
        return await _secure(
            stream, context, server_hostname(proxy.host), proxy.host, proxy.port, deadline
        )
    except RequestException as exc:
        raise ProxyError(f"reaching the proxy {proxy}: {exc}") from exc
