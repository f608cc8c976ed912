"""What makes a session's connections: within the limits of its pool and of time, one for all.

Who makes one for others to share is waited for by them (`join`); who makes one for itself does not
wait (`open`). How names are looked up for them is decided here too.
"""

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
from gofer.network.alternatives import Alternatives
from gofer.network.deadlines import earlier, share_of, timed_out
from gofer.network.dial import dial
from gofer.network.http1 import WE_CLOSE, Http1Connection
from gofer.network.names import Names
from gofer.network.pool import Pool
from gofer.network.router import MAX_ROUTES
from gofer.network.routes import HTTP_2, Route
from gofer.network.tls_sessions import TlsSessions
from gofer.protocols.http1 import Limits
from gofer.runtime.base import Runtime, TimedOut

__all__ = ["Connector"]

# Threads that need the first name at the same time make one resolver: the pool closes no other's
# connections.
_making = allocate_lock()


class Connector:
    """Makes connections, and has what they are made with.

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

    # Connections ----------------------------------------------------------------------------------

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
            return await self.open(route, request, late)  # for itself alone
        started = self.runtime.now()
        limit = earlier(request.deadline, started, request.settings.timeouts.connect)
        if late is not None:
            from gofer.network.quic import MOST

            limit = share_of(limit, started, MOST)
        while True:
            event, is_first = self.pool.join_dialing(route)
            if event is None:
                try:
                    return await self.open(route, request, late)
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

    async def open(
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

    # Names ----------------------------------------------------------------------------------------

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
                    network: Any = type(self)(self.runtime, pool=self.pool.assistant)
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
