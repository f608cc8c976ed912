"""The bottom of every chain of stages: from a request to a connection to a response."""

import sys
from typing import Any

from gofer.exceptions import RemoteProtocolError
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.by_http3 import send_by_http3
from gofer.network.by_proxy import authorized_by_caller, send_by_proxy
from gofer.network.connector import Connector
from gofer.network.http1_head import encode_head
from gofer.network.routes import HTTP_2, Route

__all__ = ["Network"]

DEBUG = 10  # logging.DEBUG, without importing it


class Network(Connector):
    """What a session sends its requests by."""

    __slots__ = ()

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
                answer = await self._by_another_way(request, route)
                if answer is not None:
                    return answer
                connect = self.join if route.may_share else self.open
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

    async def _by_another_way(self, request: PreparedRequest, route: Route) -> Response | None:
        """The response that comes without a new connection on `route`, if there is such a way."""
        settings = request.settings
        is_alone = request.fresh_connection or not settings.keep_alive
        if settings.coalesce and route.may_share and not is_alone:
            from gofer.network.coalescing import send_by_another

            answer = await send_by_another(self, route, request)
            if answer is not None:
                return answer
        asks_for_records = route.http3 is None and type(settings.resolve) is str
        if asks_for_records and await self._is_announced(route, request):
            return await send_by_http3(self, route, request)
        return None

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
                connection = await self.open(route, request)
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
