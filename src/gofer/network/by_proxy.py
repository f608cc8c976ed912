"""A request's way through a proxy: with whose credentials, and what becomes of a 407.

What proxies have asked for by Digest is in `Network.spaces`, for tunnels and for what they forward.
"""

from typing import TYPE_CHECKING

from gofer.exceptions import RequestException
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.proxies import Proxy
from gofer.network.routes import Route

if TYPE_CHECKING:
    from gofer.network.exchange import Network
    from gofer.network.tunnels import Space, Spaces

__all__ = ["authorized_by_caller", "send_by_proxy"]


async def send_by_proxy(network: "Network", route: Route, request: PreparedRequest) -> Response:
    """The response to `request`, by a route through a proxy.

    A proxy that forwards is asked once more if it wants Digest and its URL has credentials; from
    then on it gets that at once. In a tunnel a 407 is an origin's, which has no business to ask.

    Raises:
        RequestException: as `Network.send`.
    """
    if route.is_tunnel:
        return await network.send(request, authorized_by_caller(route, request))
    try:
        return await _forwarded(network, route, request)
    except RequestException as error:
        if error.args and str(error).startswith(route.peer):
            # Whom its connection was to is known to the proxy alone.
            error.args = (f"{request.url_parsed.authority} via {error}",)
        raise


async def _forwarded(network: "Network", route: Route, request: PreparedRequest) -> Response:
    """The response to a request that a proxy forwards."""
    proxy: Proxy = route.proxy  # type: ignore[assignment]
    if not _answers(proxy, request):
        return await network.send(request, route)
    known = network.spaces.get(proxy.key)
    try:
        if known is not None:
            request.proxy_credentials = _answer(known, proxy, request)
        response = await network.send(request, route)
        if response.status_code == 407:
            credentials = _answer_to(response, network.spaces, proxy, request, known)
            if credentials is not None:
                await response.discard(request.settings.max_drain)
                request.rewind()
                request.proxy_credentials = credentials
                response = await network.send(request, route)
        return response
    finally:
        request.proxy_credentials = None


def authorized_by_caller(route: Route, request: PreparedRequest) -> Route:
    """`route`, or one for the Proxy-Authorization that the caller gave with `request`.

    A proxy that forwards is shown it with the request itself. One that is asked for a tunnel has to
    be shown it then, for what goes through the tunnel is the origin's.
    """
    authorization = request.encoded_fields().proxy_authorization
    if authorization is None or not route.is_tunnel:
        return route
    return route.authorized(authorization)


def _answers(proxy: Proxy, request: PreparedRequest) -> bool:
    """True if the credentials in the proxy's URL are the ones to answer with."""
    given = request.encoded_fields().proxy_authorization
    return any(proxy.login) and given in (None, proxy.authorization)


def _answer_to(
    response: Response,
    spaces: "Spaces",
    proxy: Proxy,
    request: PreparedRequest,
    used: "Space | None",
) -> str | None:
    """The answer to a proxy's challenge; None if there is no use in it.

    Args:
        used: what was answered already, to get that response.
    """
    from gofer.network.tunnels import learn

    if not learn(response.fields, proxy, spaces) or not request.is_replayable():
        return None
    known = spaces[proxy.key]
    if used is not None and (used[0].realm, used[0].nonce) == (known[0].realm, known[0].nonce):
        return None  # the same question again: the password is wrong
    return _answer(known, proxy, request)


def _answer(known: "Space", proxy: Proxy, request: PreparedRequest) -> str | None:
    """The credentials for `request`; None if its content would have to be read twice for them."""
    from gofer.messages.digest import hash_content
    from gofer.network.tunnels import answer

    content_hash = b""
    if known[0].quality == "auth-int":
        if not request.is_replayable():
            return None
        content_hash = hash_content(known[0], request)
    target = request.url_parsed.absolute.decode("ascii")
    return answer(known, proxy, request.method, target, content_hash)
