"""A request's way through a proxy: with whose credentials."""

from gofer.messages.request import PreparedRequest
from gofer.network.routes import Route

__all__ = ["authorized_by_caller"]


def authorized_by_caller(route: Route, request: PreparedRequest) -> Route:
    """`route`, or one for the Proxy-Authorization that the caller gave with `request`.

    A proxy that forwards is shown it with the request itself. One that is asked for a tunnel has to
    be shown it then, for what goes through the tunnel is the origin's.
    """
    authorization = request.encoded_fields().proxy_authorization
    if authorization is None or not route.is_tunnel:
        return route
    return route.authorized(authorization)
