"""Sending by HTTP/3 where an origin has announced it, with TCP to fall back on.

The HTTP/3 server has `quic.PATIENCE` seconds to answer over UDP; then the request goes by TCP. A
server that cannot be reached is not tried again for a while (`alternatives.py`). One that was only
slow is: if its answer has arrived by the time TCP has brought the response, the connection is kept
for the next request.
"""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gofer.exceptions import DeadlineExceeded, PoolTimeout, RequestException
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.deadlines import earlier
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
    network.heed(route, response)
    if response.status_code == 421:
        network.alternatives.forget(route.origin)  # it is not there (RFC 9110, 15.5.20)
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
    """
    place = route.target if route.is_only_way else network.alternatives.find(route.origin)
    if place is None:
        return None
    way = route.by_http3(place)
    shared: Any = network.pool.take_shared(way, network.runtime.now())
    if shared is not None:
        return shared
    encode_head(request, route)  # refuses what must not be sent, before connecting
    try:
        shared = await network.join(way, request, late)
    except RequestException as error:
        if route.is_only_way or isinstance(error, PoolTimeout | DeadlineExceeded):
            raise
        if network.alternatives.find(route.origin) == place:  # not noted by another request yet
            network.alternatives.failed(place)
        return None
    network.alternatives.worked(place)
    return shared


async def _take_in(network: "Network", late: list[Any], request: PreparedRequest) -> None:
    """Keep those of the connections `late` whose server has answered by now."""
    for connection in late:
        if connection.stream.is_readable():
            from gofer.network.quic import LATE, finish

            now, way = network.runtime.now(), connection.route
            connect = partial(finish, connection, earlier(request.deadline, now, LATE))
            with suppress(RequestException, TimedOut):
                shared: Any = await network.pool.open(way, connect, now)
                network.pool.leave(shared)
                network.alternatives.worked(way.target)
