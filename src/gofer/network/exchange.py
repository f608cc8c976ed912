"""The bottom of every chain of stages: from a request to a connection to a response."""

import sys
from _thread import allocate_lock
from functools import partial
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import (
    ConnectTimeout,
    DeadlineExceeded,
    InsecureRequestWarning,
    RemoteProtocolError,
    RequestException,
)
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.alternatives import Alternatives
from gofer.network.by_http3 import send_by_http3
from gofer.network.by_proxy import authorized_by_caller, send_by_proxy
from gofer.network.deadlines import earlier, share_of, timed_out
from gofer.network.dial import dial
from gofer.network.http1 import WE_CLOSE, Http1Connection
from gofer.network.http1_head import encode_head
from gofer.network.names import Names
from gofer.network.pool import Pool
from gofer.network.routes import HTTP_2, MAX_ROUTES, Route
from gofer.network.tls_sessions import TlsSessions
from gofer.protocols.http1 import Limits
from gofer.runtime.base import Runtime, TimedOut

__all__ = ["Network"]

DEBUG = 10  # logging.DEBUG, without importing it

# Threads that need the first name at the same time make one resolver: the pool closes no other's
# connections.
_making = allocate_lock()


class Network:
    """What a session sends its requests by.

    Args:
        alternatives: where origins can be reached by HTTP/3.
    """

    __slots__ = (
        "_resolvers", "_warned_of", "alternatives", "limits", "names", "pool", "runtime",
        "sessions", "spaces",
    )  # fmt: skip

    def __init__(
        self,
        runtime: Runtime,
        limits: Limits | None = None,
        pool: Pool | None = None,
        alternatives: Alternatives | None = None,
    ) -> None:
        self.runtime = runtime
        self.limits = limits or Limits()
        self.pool = pool or Pool(runtime)
        self.alternatives = Alternatives() if alternatives is None else alternatives
        self.names = Names(runtime)
        self.sessions = TlsSessions()
        self._resolvers: dict[str, Any] = {}  # that ask others than the system
        self.spaces: Any = {}  # what proxies have asked for by Digest
        self._warned_of: set[str] = set()  # servers that nobody checks the certificate of

    async def send(
        self, request: PreparedRequest, route: Route | None = None, shared: Any = None
    ) -> Response:
        """The response to `request`, its content still to come or already there.

        Args:
            route, shared: the way to go, and a connection on which we have a place, if they are
                known already.

        Raises:
            InvalidHeader, InvalidMethod, LocalProtocolError: before anything is sent.
            ConnectionError, Timeout: and their subclasses; each has `.request`.
        """
        settings = request.settings
        if route is None:
            route = settings.router.route(request._url or request.url_parsed, request.environment)
            if not route.is_plain:
                if route.proxy is not None:
                    return await send_by_proxy(self, route, request)
                if route.is_only_way or route.origin in self.alternatives.places:
                    return await send_by_http3(self, route, request)
        started = self.runtime.now()
        if shared is None and route.may_share and settings.keep_alive:
            shared = self.pool.take_shared(route, started)
        connection: Any = shared
        if shared is not None:
            response: Response = await shared.exchange(request, started)
        else:
            head = encode_head(request, route)
            if settings.keep_alive and not request.fresh_connection:
                connection = self.pool.take(route, started)
            if connection is None:
                is_alone = request.fresh_connection or not settings.keep_alive
                if settings.coalesce and route.may_share and not is_alone:
                    from gofer.network.coalescing import send_by_another

                    answer = await send_by_another(self, route, request)
                    if answer is not None:
                        return answer
                if (
                    route.http3 is None
                    and type(settings.resolve) is str
                    and await self._is_announced(route, request)
                ):
                    return await send_by_http3(self, route, request)
                connect = self.join if route.may_share else self._open
                connection = await connect(route, request)
                started = self.runtime.now()  # connecting has a limit of its own
            response = await connection.exchange(request, started, head)
        if route.is_tls:
            response.tls = connection.tls
            if connection.exchanges == 1 and response.version != "HTTP/3":
                self.sessions.keep(connection.route, connection.stream, connection.tls)
            if route.http3 is None and not response.fields.is_plain:
                self._heed(route, response)
        if _logger is not None and _logger.isEnabledFor(DEBUG):
            _log(request, response)
        elif _logger is None and "logging" in sys.modules:
            _find_logger()
            _log(request, response)
        return response

    async def switch(self, request: PreparedRequest) -> Response:
        """The response to `request`, which asks to go on in another protocol: `request.protocol`.

        On a stream of a connection that is shared already, where the server lets that be, or where
        there is no other way; else on a connection of HTTP/1.1, as browsers do. If the server
        agrees, the response has a `_duplex`.

        Raises:
            RemoteProtocolError: the server lets it not be, and there is no other way.
            RequestException: as `send`.
        """
        route = request.settings.router.route(
            request._url or request.url_parsed, request.environment
        )
        route = authorized_by_caller(route, request)
        started = self.runtime.now()
        keep_alive = request.settings.keep_alive
        must_share = route.is_only_way or route.alpn == HTTP_2
        if route.is_only_way:
            route = route.by_http3(route.target)
        connection: Any = None
        if route.may_share and keep_alive:
            connection = self.pool.take_shared(route, started)
        head = b""
        if connection is None and must_share:
            encode_head(request, route)  # complains before anybody is connected to
            connection = await self.join(route, request)
            started = self.runtime.now()
        if connection is not None and not await self._takes(connection, request):
            if must_share:
                raise RemoteProtocolError(
                    f"{route.authority}: lets no other protocol be spoken over"
                    f" {connection.protocol.version}, expected it to (RFC 8441, RFC 9220)",
                    request=request,
                )
            connection = None
        if connection is not None:
            response: Response = await connection.exchange(
                request, started, protocol=request.protocol
            )
        else:
            route = authorized_by_caller(route.by_http1(), request)
            head = encode_head(request, route)
            if keep_alive and not request.fresh_connection:
                connection = self.pool.take(route, started)
            if connection is None:
                connection = await self._open(route, request)
                started = self.runtime.now()
            response = await connection.switch(request, started, head)
        response.tls = connection.tls
        if "logging" in sys.modules:
            if _logger is None:
                _find_logger()
            _log(request, response)
        return response

    async def _takes(self, connection: Any, request: PreparedRequest) -> bool:
        """True if other protocols may be spoken on `connection`; our place on it is free if not."""
        is_taken: bool = False
        try:
            is_taken = await connection.takes_protocols(request)
        finally:
            if not is_taken:
                self.pool.leave(connection)
        return is_taken

    def _heed(self, route: Route, response: Response) -> None:
        """Remember where else the origin says that it is, if we know that it is the origin.

        421 says that it is not (RFC 7838, 6).
        """
        fields = response.fields
        if route.verify is not False and response.status_code != 421 and fields.has(b"alt-svc"):
            self.alternatives.heed(route.origin, fields.get_all("alt-svc"))

    async def join(
        self, route: Route, request: PreparedRequest, late: list[Any] | None = None
    ) -> Any:
        """A place on the connection that somebody is making, or one that we make.

        One at a time, so that the first is full before there is a second.

        Args:
            late: as in `quic.connect`, which makes those of HTTP/3. Then there is another way, and
                None is returned if nothing comes of what somebody else is making.
        """
        if not request.settings.keep_alive:
            return await self._open(route, request, late)  # for itself alone
        started = self.runtime.now()
        limit = earlier(request.deadline, started, request.settings.timeouts.connect)
        if late is not None:
            from gofer.network.quic import MOST

            limit = share_of(limit, started, MOST)
        while True:
            event, is_first = self.pool.join_dialing(route)
            if event is None:
                try:
                    return await self._open(route, request, late)
                finally:
                    if is_first:
                        self.pool.dialed(route)
            try:
                await event.wait(limit)
            except TimedOut:
                if late is not None:
                    return None
                raise timed_out(
                    ConnectTimeout, "connect", request, self.runtime.now(), route.authority,
                    "waiting for a connection that others share",
                ) from None  # fmt: skip
            now = self.runtime.now()
            connection = self.pool.take_shared(route, now) or self.pool.take(route, now)
            if connection is not None:
                return connection
            if late is not None and not self._may_work(route):
                return None

    def _may_work(self, route: Route) -> bool:
        """False if it is the way by HTTP/3 to where nobody has answered just now."""
        return route.is_only_way or self.alternatives.find(route.origin) == route.target

    async def _open(
        self, route: Route, request: PreparedRequest, late: list[Any] | None = None
    ) -> Any:
        """A new connection on `route`, within the limits of the pool and of time."""
        timeouts = request.settings.timeouts
        now = self.runtime.now()
        pool_deadline = earlier(request.deadline, now, timeouts.pool)
        looked_up: list[Any] = []

        async def connect() -> Any:
            connection = await make()
            if connection.is_shared and not request.settings.keep_alive:
                connection.closing = WE_CLOSE  # nobody else has a place on it
            return connection

        async def make() -> Any:
            if route.verify is False:
                self._warn_insecure(route)
            deadline = earlier(request.deadline, self.runtime.now(), timeouts.connect)
            agent = request.sent_headers.get("user-agent")
            resolve = self.resolver(request.settings, looked_up)
            if route.is_http3:
                from gofer.network.quic import connect as connect_by_quic

                return await connect_by_quic(
                    route, self.pool, self.runtime, self.limits, deadline, resolve=resolve,
                    late=[] if late is None else late,
                )  # fmt: skip
            stream = await dial(
                route, self.runtime, deadline, resolve=resolve,
                user_agent=agent if isinstance(agent, str) else None, spaces=self.spaces,
                sessions=self.sessions,
            )  # fmt: skip
            if route.may_share and (not route.is_tls or stream.alpn == "h2"):  # type: ignore[attr-defined]
                from gofer.network.http2 import Http2Connection

                if route.is_tls:
                    stream.share()  # type: ignore[attr-defined]
                kind: Any = Http2Connection
            elif route.alpn == HTTP_2:
                stream.abort()
                raise RemoteProtocolError(
                    f"{route.authority}: got {stream.alpn or 'no protocol'} chosen in TLS,"  # type: ignore[attr-defined]
                    " expected h2: nothing but HTTP/2 will do (config: http2)"
                )
            else:
                kind = Http1Connection
            connection = kind(stream, route, self.pool, self.runtime, self.limits)
            if route.is_tls:
                from gofer.network.tls_info import TLSInfo

                connection.tls = TLSInfo(stream)  # type: ignore[arg-type]
            return connection

        try:
            return await self.pool.open(route, connect, pool_deadline)
        except RequestException as error:
            for name in looked_up:
                self.names.forget(name)  # the next request asks again
            self._raise_late(error, request)
            raise

    def _raise_late(self, error: RequestException, request: PreparedRequest) -> None:
        """Give `error` its request; where the call had no more time, raise that in its place."""
        error.request = request  # type: ignore[assignment]
        over = request.deadline is not None and self.runtime.now() >= request.deadline - 0.001
        if isinstance(error, ConnectTimeout) and over:
            raise DeadlineExceeded(
                f"the deadline of the whole call passed: {error}", request=request
            ) from error

    # Names --------------------------------------------------------------------------------------

    def resolver(self, settings: Any, looked_up: list[Any] | None = None) -> Any:
        """What looks names up for requests with these settings.

        Args:
            looked_up: takes what `names` was asked for, to be forgotten if it turns out to be of no
                use. What DNS over HTTPS says counts for as long as it says.
        """
        given = settings.resolve
        if type(given) is str:
            return partial(self._over_https(given).resolve, settings=settings)
        look_up: Any = self.runtime.resolve
        if settings.resolve_seconds:
            look_up = partial(
                self.names.resolve, seconds=settings.resolve_seconds, looked_up=looked_up
            )
        if given is None:
            return look_up
        from gofer.network.addresses import resolving

        return resolving(given, look_up, self.runtime)

    def _over_https(self, url: str) -> Any:
        """The resolver that asks the server at `url`, on connections of its own."""
        resolver = self._resolvers.get(url)
        if resolver is None:
            from gofer.network.dns_over_https import DnsOverHttps

            with _making:
                if self.pool.assistant is None:
                    self.pool.assistant = Pool(self.runtime)
                resolver = self._resolvers.get(url)
                if resolver is None:
                    network = Network(self.runtime, pool=self.pool.assistant)
                    resolver = self._resolvers[url] = DnsOverHttps(url, network)
        return resolver

    async def _is_announced(self, route: Route, request: PreparedRequest) -> bool:
        """True if the origin's DNS says that it speaks HTTP/3, and nothing speaks against it.

        What is not checked is not asked: others, who check, would remember the answer.
        """
        if route.verify is False:
            return False
        resolver = self._over_https(request.settings.resolve)
        limit = earlier(request.deadline, self.runtime.now(), request.settings.timeouts.connect)
        try:
            found = await resolver.http3_place(
                route.host, route.port, limit, settings=request.settings
            )
        except ConnectTimeout as error:
            self._raise_late(error, request)
            raise
        if found is not None:
            self.alternatives.learn(route.origin, *found)
        return self.alternatives.find(route.origin) is not None

    def _warn_insecure(self, route: Route) -> None:
        """Say once for each server that anybody could be answering, where the caller stands."""
        unchecked = [str(proxy) for proxy in route.proxies if proxy.scheme == "https"]
        if route.is_tls:
            unchecked.append(route.authority)
        for name in unchecked:
            if name in self._warned_of:
                continue
            if len(self._warned_of) >= MAX_ROUTES:  # a crawler's must not grow without end
                self._warned_of.clear()
            self._warned_of.add(name)
            import warnings

            warnings.warn(
                f"connecting to {name} without checking its certificate (verify=False):"
                " anybody could be answering; expected verify=True, or the path of the authority's"
                " certificate",
                InsecureRequestWarning,
                stacklevel=level_of_caller(),
            )


def _find_logger() -> None:
    """The program uses logging: from now on it can hear us, under the name `gofer`."""
    global _logger
    import logging

    _logger = logging.getLogger("gofer")
    _logger.addHandler(logging.NullHandler())


def _log(request: PreparedRequest, response: Response) -> None:
    """One DEBUG line per exchange. Never a query or a field value."""
    url = request.url_parsed
    _logger.debug(
        "%s %s://%s%s -> %s in %.1f ms", request.method, url.scheme, url.authority, url.path,
        response.status_code, response._elapsed * 1000,
    )  # fmt: skip


_logger: Any = None  # None until something imports logging: that takes 20 ms, and most never do
