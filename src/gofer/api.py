"""The functions of the top level: a session for one call, closed when the call is done.

A response whose content was not read yet stays readable; its connection goes when it is done.
"""

from typing import Any

from gofer.dropin.models import Response
from gofer.sessions import Session

__all__ = ["delete", "get", "head", "options", "patch", "post", "put", "request"]


def request(method: Any, url: Any, *, session: Session | None = None, **kwargs: Any) -> Response:
    """Send a request; keywords as in `Session.request`.

    Args:
        session: run the call on this session instead of one of its own.
    """
    if session is not None:
        return session.request(method, url, **kwargs)
    with Session() as own:
        response = own.request(method, url, **kwargs)
    if kwargs.get("return_response") is False:
        response.session = None  # type: ignore[attr-defined]  # an unsent request, which gets another one when it is sent
    return response


def get(url: Any, params: Any = None, **kwargs: Any) -> Response:
    """GET `url`."""
    return request("GET", url, params=params, **kwargs)


def options(url: Any, **kwargs: Any) -> Response:
    """OPTIONS `url`."""
    return request("OPTIONS", url, **kwargs)


def head(url: Any, **kwargs: Any) -> Response:
    """HEAD `url`, without following redirects unless asked to."""
    kwargs.setdefault("allow_redirects", False)
    return request("HEAD", url, **kwargs)


def post(url: Any, data: Any = None, json: Any = None, **kwargs: Any) -> Response:
    """POST to `url`."""
    return request("POST", url, data=data, json=json, **kwargs)


def put(url: Any, data: Any = None, **kwargs: Any) -> Response:
    """PUT to `url`."""
    return request("PUT", url, data=data, **kwargs)


def patch(url: Any, data: Any = None, **kwargs: Any) -> Response:
    """PATCH `url`."""
    return request("PATCH", url, data=data, **kwargs)


def delete(url: Any, **kwargs: Any) -> Response:
    """DELETE `url`."""
    return request("DELETE", url, **kwargs)
