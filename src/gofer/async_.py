"""The `async` module of Requests 0.8: unsent requests, and `map` to send them together.

    rs = [async_.get(url) for url in urls]
    async_.map(rs, size=5)

`async` is a keyword since Python 3.7, so the module is `gofer.async_`; `getattr(gofer, "async")`
and `importlib.import_module("gofer.async")` give the same object. It needs no gevent and patches
nothing. The functions take what those of `gofer` take and return a `Request`.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from gofer import api, bulk
from gofer.dropin.models import Request, Response
from gofer.precedence import prefetch_from
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

__all__ = [
    "delete", "get", "head", "imap", "map", "options", "patch", "post", "put", "request", "send",
]  # fmt: skip


def request(
    method: str | bytes,
    url: "Url",
    *,
    session: Session | None = None,
    **options: "Unpack[RequestOptions]",
) -> Request:
    """A `Request` that nobody has sent; its `args` hooks have run.

    Args:
        session: the one it will be sent on; otherwise one of its own.
        options: as for `gofer.request`.
    """
    unsent = api.request(method, url, session=session, **options, return_response=False)
    unsent.session = session
    unsent.response = Response()
    return unsent


def get(
    url: "Url",
    params: "Params | None" = None,
    *,
    session: Session | None = None,
    **options: "Unpack[GetOptions]",
) -> Request:
    """A GET of `url`, not sent."""
    return request("GET", url, params=params, session=session, **options)


def options(
    url: "Url", *, session: Session | None = None, **options: "Unpack[RequestOptions]"
) -> Request:
    """An OPTIONS of `url`, not sent."""
    return request("OPTIONS", url, session=session, **options)


def head(
    url: "Url", *, session: Session | None = None, **options: "Unpack[RequestOptions]"
) -> Request:
    """A HEAD of `url`, not sent; it will follow no redirects unless asked to."""
    options.setdefault("allow_redirects", False)
    return request("HEAD", url, session=session, **options)


def post(
    url: "Url",
    data: "Data | None" = None,
    json: Any = None,
    *,
    session: Session | None = None,
    **options: "Unpack[PostOptions]",
) -> Request:
    """A POST to `url`, not sent."""
    return request("POST", url, data=data, json=json, session=session, **options)


def put(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: Session | None = None,
    **options: "Unpack[PutOptions]",
) -> Request:
    """A PUT to `url`, not sent."""
    return request("PUT", url, data=data, session=session, **options)


def patch(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: Session | None = None,
    **options: "Unpack[PutOptions]",
) -> Request:
    """A PATCH to `url`, not sent."""
    return request("PATCH", url, data=data, session=session, **options)


def delete(
    url: "Url", *, session: Session | None = None, **options: "Unpack[RequestOptions]"
) -> Request:
    """A DELETE of `url`, not sent."""
    return request("DELETE", url, session=session, **options)


def map(  # noqa: A001  (the name of 2012)
    requests: Iterable[Any],
    prefetch: bool | None = None,
    size: int | None = None,
    *,
    stream: bool | None = None,
    exception_handler: Callable[[Any, Exception], Any] | None = None,
    gtimeout: float | None = None,
) -> list[Any]:
    """Send all of `requests` at the same time; their responses in the order of the requests.

    Args:
        prefetch, stream: whether contents are read; they are, unless told otherwise.
        size: how many are open at a time, content included; None: 512.
        exception_handler: called with a request that failed and its exception; what it returns, if
            it is not None, takes the place of the falsy response that stands for the failure.
        gtimeout: seconds for all of them together; what is not done then has failed.
    """
    return bulk.map(
        requests,
        size,
        prefetch=prefetch_from(prefetch, stream),
        exception_handler=exception_handler,
        deadline=gtimeout,
    )


def imap(
    requests: Iterable[Any],
    prefetch: bool | None = None,
    size: int = 2,
    *,
    stream: bool | None = None,
    exception_handler: Callable[[Any, Exception], Any] | None = None,
) -> Iterator[Any]:
    """Send `requests`, `size` at a time, and yield the responses as they complete."""
    return bulk.imap(
        requests,
        size,
        prefetch=prefetch_from(prefetch, stream),
        exception_handler=exception_handler,
    )


class Sending(Future[Response]):
    """A response to come: `get()` and `result()` wait for it and raise what went wrong."""

    def get(self, timeout: float | None = None) -> Response:
        """The response; at most `timeout` seconds are waited for it."""
        return self.result(timeout)


def send(r: Request, pool: Any = None, prefetch: bool = False) -> Any:
    """Send one request in the background.

    Args:
        pool: something with `spawn`, such as a gevent pool, to send it in; a thread otherwise.

    Returns:
        A `Sending`, or what `pool.spawn` returns.
    """
    if pool is not None:
        return pool.spawn(_sent, r, prefetch)
    sending = Sending()

    def work() -> None:
        try:
            sending.set_result(_sent(r, prefetch))
        except BaseException as error:
            sending.set_exception(error)

    from threading import Thread

    Thread(target=work, name="gofer.async_.send", daemon=True).start()
    return sending


def _sent(r: Request, prefetch: bool) -> Response:
    r.send(prefetch=prefetch)
    return r.response  # type: ignore[return-value]  # it was sent
