"""The functions of the top level: a session for one call, closed when the call is done.

A response whose content was not read yet stays readable; its connection goes when it is done.

Each calls the next as Requests' does, for the sake of those who replace one of them in a test.
"""

from typing import TYPE_CHECKING, Any, Literal, overload

from gofer import sessions
from gofer.dropin.models import Request, Response

if TYPE_CHECKING:
    from typing import Unpack

    from gofer.arguments import (
        Data,
        GetOptions,
        Params,
        PostOptions,
        PutOptions,
        RequestOptions,
        Url,
    )
    from gofer.sessions import Session

__all__ = ["delete", "get", "head", "options", "patch", "post", "put", "request"]


@overload
def request(
    method: str | bytes,
    url: "Url",
    *,
    return_response: Literal[False],
    session: "Session | None" = None,
    **options: "Unpack[RequestOptions]",
) -> Request: ...


@overload
def request(
    method: str | bytes,
    url: "Url",
    *,
    return_response: Literal[True] = True,
    session: "Session | None" = None,
    **options: "Unpack[RequestOptions]",
) -> Response: ...


def request(method: Any, url: Any, *, session: "Session | None" = None, **kwargs: Any) -> Any:
    """Send a request with any method (RFC 9110, 9).

    Args:
        method: str such as "GET".
        url: str, bytes, or anything whose str() is a URL.
        session: the session to run on; otherwise one of its own, for this call.
        kwargs: as in `Session.request`; times are seconds.

    Returns:
        Its `Response`; with `return_response=False` the `Request`, not sent.

    Raises:
        RequestException: there is no answer; see `gofer.exceptions`. A 4xx or 5xx is one, of
            which `raise_for_status()` makes an error.
        ValueError, TypeError: arguments that contradict each other or are of no use.
    """
    if session is not None:
        return session.request(method=method, url=url, **kwargs)
    with sessions.Session() as own:
        response: Any = own.request(method=method, url=url, **kwargs)
    if kwargs.get("return_response") is False:
        response.session = None  # an unsent request, which gets another one when it is sent
    return response


def get(
    url: "Url",
    params: "Params | None" = None,
    *,
    session: "Session | None" = None,
    **options: "Unpack[GetOptions]",
) -> Response:
    """Send a GET: ask for a representation of what is at `url` (RFC 9110, 9.3.1).

    Args:
        params: added to the URL's query: a dict, pairs, str or bytes.
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    if session is not None:
        return session.request("GET", url, params=params, **options)
    return request("get", url, params=params, **options)


def options(
    url: "Url", *, session: "Session | None" = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """Send an OPTIONS: ask what can be done at `url` (RFC 9110, 9.3.7).

    Args:
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    if session is not None:
        return session.request("OPTIONS", url, **options)
    return request("options", url, **options)


def head(
    url: "Url", *, session: "Session | None" = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """Send a HEAD: a GET whose answer has no content (RFC 9110, 9.3.2).

    Redirects are not followed unless `allow_redirects=True`.

    Args:
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    options.setdefault("allow_redirects", False)
    if session is not None:
        return session.request("HEAD", url, **options)
    return request("head", url, **options)


def post(
    url: "Url",
    data: "Data | None" = None,
    json: Any = None,
    *,
    session: "Session | None" = None,
    **options: "Unpack[PostOptions]",
) -> Response:
    """Send a POST: have `url` process the content (RFC 9110, 9.3.3).

    Args:
        data: the content: a dict or pairs become a form; bytes, str, a file or an iterator are
            sent as they are.
        json: a value to send as JSON in its place.
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    if session is not None:
        return session.request("POST", url, data=data, json=json, **options)
    return request("post", url, data=data, json=json, **options)


def put(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: "Session | None" = None,
    **options: "Unpack[PutOptions]",
) -> Response:
    """Send a PUT: make the content the representation at `url` (RFC 9110, 9.3.4).

    Args:
        data: the content: a form, bytes, str, a file or an iterator.
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    if session is not None:
        return session.request("PUT", url, data=data, **options)
    return request("put", url, data=data, **options)


def patch(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: "Session | None" = None,
    **options: "Unpack[PutOptions]",
) -> Response:
    """Send a PATCH: change what is at `url` as the content says (RFC 5789).

    Args:
        data: the content: a form, bytes, str, a file or an iterator.
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    if session is not None:
        return session.request("PATCH", url, data=data, **options)
    return request("patch", url, data=data, **options)


def delete(
    url: "Url", *, session: "Session | None" = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """Send a DELETE: have what is at `url` removed (RFC 9110, 9.3.5).

    Args:
        session: the session to run on; otherwise one of its own, for this call.
        options: as in `Session.request`; times are seconds.

    Raises:
        RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
    """
    if session is not None:
        return session.request("DELETE", url, **options)
    return request("delete", url, **options)
