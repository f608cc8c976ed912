"""Sending by HTTP/3 where an origin has announced it, with TCP to fall back on.

A server has `quic.PATIENCE` seconds to answer over UDP and `quic.MOST` to complete the handshake,
and no more than a third of what the call has; then the request goes by TCP. A server that cannot be
reached is not tried again for a while (`alternatives.py`). One that was only slow is: if its answer
has arrived by the time TCP has brought the response, the connection is kept for the next request.
"""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gofer.exceptions import ConnectTimeout, DeadlineExceeded, PoolTimeout, RequestException
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.http1_head import encode_head
from gofer.network.routes import Route
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from gofer.network.exchange import Network

__all__ = ["send_by_http3"]


async def send_by_http3(network: "Network", route: Route, request: PreparedRequest) -> Response:
    """Send by HTTP/3 if the caller or the origin says so; by TCP if that fails.

    Raises:
        RequestException: as `Network.send`.
    """
    late: list[Any] = []
    try:
        shared = await _reach(network, route, request, late)
        response = await network.send(request, route, shared)
        await _take_in(network, late, request)
    finally:
        for connection in late:
            if not connection.counted:
                connection.close("nothing came")
    if shared is None or route.is_only_way:
        return response
    if response.status_code == 421:  # it is not there (RFC 9110, 15.5.20)
        network.alternatives.failed(route.origin, shared.route.target)
        network.alternatives.forget(route.origin)
        if request.body is None:
            response.close()
            response = await network.send(request, route)
    return response


async def _reach(
    network: "Network", route: Route, request: PreparedRequest, late: list[Any]
) -> Any:
    """A place on an HTTP/3 connection; None if there is none and TCP should be tried.

    Args:
        late: takes the connections that may still become some.

    Raises:
        RequestException: nothing but HTTP/3 will do; or the call has no time left for TCP either.
    """
    place = route.target if route.is_only_way else network.alternatives.find(route.origin)
    if place is None:
        return None
    way = route.by_http3(place)
    if request.settings.keep_alive:
        shared: Any = network.pool.take_shared(way, network.runtime.now())
        if shared is not None:
            return shared
    encode_head(request, route)  # refuses what must not be sent, before connecting
    try:
        shared = await network.join(way, request, late)
    except RequestException as error:
        if route.is_only_way or isinstance(error, PoolTimeout):
            raise
        if network.alternatives.find(route.origin) == place:  # not noted by another request yet
            is_silent = isinstance(error, ConnectTimeout | DeadlineExceeded)
            network.alternatives.failed(route.origin, place, is_silent=is_silent)
        if isinstance(error, DeadlineExceeded):
            raise
        return None
    if shared is not None:
        network.alternatives.worked(route.origin, place)
    return shared


async def _take_in(network: "Network", late: list[Any], request: PreparedRequest) -> None:
    """Keep one of the connections `late` that can be completed by now."""
    for connection in late:
        if connection.stream.is_readable():
            from gofer.network.quic import LATE, finish

            now, way = network.runtime.now(), connection.route
            until = now + LATE if request.deadline is None else min(now + LATE, request.deadline)
            if not await connection.has_news(until):
                continue
            connect = partial(finish, connection, until)
            with suppress(RequestException, TimedOut):
                shared: Any = await network.pool.open(way, connect, now)
                network.pool.leave(shared)
                network.alternatives.worked(way.origin, way.target)
