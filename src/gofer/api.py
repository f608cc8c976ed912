"""The functions of the top level: a session for one call, closed when the call is done.

A response whose content was not read yet stays readable; its connection goes when it is done.
"""

from typing import TYPE_CHECKING, Any, Literal, overload

from gofer.dropin.models import Request, Response
from gofer.sessions import Session

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

__all__ = ["delete", "get", "head", "options", "patch", "post", "put", "request"]


@overload
def request(
    method: str | bytes,
    url: "Url",
    *,
    return_response: Literal[False],
    session: Session | None = None,
    **options: "Unpack[RequestOptions]",
) -> Request: ...


@overload
def request(
    method: str | bytes,
    url: "Url",
    *,
    return_response: Literal[True] = True,
    session: Session | None = None,
    **options: "Unpack[RequestOptions]",
) -> Response: ...


def request(method: Any, url: Any, *, session: Session | None = None, **kwargs: Any) -> Any:
    """Send a request; keywords as in `Session.request`.

    Args:
        session: run the call on this session instead of one of its own.
    """
    if session is not None:
        return session.request(method, url, **kwargs)
    with Session() as own:
        response: Any = own.request(method, url, **kwargs)
    if kwargs.get("return_response") is False:
        response.session = None  # an unsent request, which gets another one when it is sent
    return response


def get(
    url: "Url",
    params: "Params | None" = None,
    *,
    session: Session | None = None,
    **options: "Unpack[GetOptions]",
) -> Response:
    """GET `url`."""
    return request("GET", url, params=params, session=session, **options)


def options(
    url: "Url", *, session: Session | None = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """OPTIONS `url`."""
    return request("OPTIONS", url, session=session, **options)


def head(
    url: "Url", *, session: Session | None = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """HEAD `url`, without following redirects unless asked to."""
    options.setdefault("allow_redirects", False)
    return request("HEAD", url, session=session, **options)


def post(
    url: "Url",
    data: "Data | None" = None,
    json: Any = None,
    *,
    session: Session | None = None,
    **options: "Unpack[PostOptions]",
) -> Response:
    """POST to `url`."""
    return request("POST", url, data=data, json=json, session=session, **options)


def put(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: Session | None = None,
    **options: "Unpack[PutOptions]",
) -> Response:
    """PUT to `url`."""
    return request("PUT", url, data=data, session=session, **options)


def patch(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: Session | None = None,
    **options: "Unpack[PutOptions]",
) -> Response:
    """PATCH `url`."""
    return request("PATCH", url, data=data, session=session, **options)


def delete(
    url: "Url", *, session: Session | None = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """DELETE `url`."""
    return request("DELETE", url, session=session, **options)
