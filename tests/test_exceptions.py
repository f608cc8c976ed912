"""The tree of exceptions: Requests' names and their places in it (SPEC 4.8), and what they carry."""

import asyncio
import json
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer import exceptions
from servers.raw import Peer, Server, always, response, serve

# Name: the classes it has to be a subclass of, as users of Requests catch them.
TREE: dict[str, tuple[type[Any], ...]] = {
    "RequestException": (OSError,),
    "HTTPError": (), "URLRequired": (), "TooManyRedirects": (), "RetryError": (),
    "UnrewindableBodyError": (), "ChunkedEncodingError": (), "ConnectionError": (), "Timeout": (),
    "ProxyError": (exceptions.ConnectionError,),
    "SSLError": (exceptions.ConnectionError,),
    "ConnectTimeout": (exceptions.ConnectionError, exceptions.Timeout),
    "ReadTimeout": (exceptions.Timeout,),
    "MissingSchema": (ValueError,), "InvalidSchema": (ValueError,), "InvalidHeader": (ValueError,),
    "InvalidURL": (ValueError,),
    "InvalidProxyURL": (exceptions.InvalidURL,),
    "ContentDecodingError": (),
    "StreamConsumedError": (TypeError,),
    "InvalidJSONError": (),
    "JSONDecodeError": (exceptions.InvalidJSONError, json.JSONDecodeError),
    # gofer's finer ones
    "NameResolutionError": (exceptions.ConnectionError,),
    "ConnectionRefused": (exceptions.ConnectionError,),
    "TunnelRefused": (exceptions.ProxyError,),
    "CertificateError": (exceptions.SSLError,),
    "RemoteProtocolError": (exceptions.ConnectionError,),
    "FieldSectionTooLarge": (exceptions.RemoteProtocolError,),
    "IncompleteHead": (exceptions.ConnectionLost, exceptions.ChunkedEncodingError),
    "UncertainFraming": (exceptions.RemoteProtocolError, exceptions.InvalidHeader),
    "ConnectionLost": (exceptions.ConnectionError,),
    "WebSocketClosed": (exceptions.ConnectionError,),
    "PoolTimeout": (exceptions.ConnectionError, exceptions.Timeout),
    "BodyReadTimeout": (exceptions.ReadTimeout, exceptions.ConnectionError),
    "WriteTimeout": (exceptions.Timeout,), "DeadlineExceeded": (exceptions.Timeout,),
    "IncompleteContent": (exceptions.ChunkedEncodingError,),
    "TruncatedContent": (exceptions.ContentDecodingError,),
    "DecompressionBomb": (exceptions.ContentDecodingError,),
    "InvalidMethod": (ValueError,), "LocalProtocolError": (ValueError,),
}  # fmt: skip

NOT = [  # what must not be caught by the other's name
    ("ConnectionError", "Timeout"), ("Timeout", "ConnectionError"), ("ReadTimeout", "ConnectionError"),
    ("HTTPError", "ConnectionError"), ("ChunkedEncodingError", "ConnectionError"),
    ("SSLError", "ProxyError"), ("InvalidURL", "MissingSchema"), ("DeadlineExceeded", "ReadTimeout"),
]  # fmt: skip


@pytest.mark.parametrize("name", TREE)
def test_every_exception_has_its_place(name: str) -> None:
    """Below RequestException, and below what its users catch."""
    error = getattr(exceptions, name)

    assert issubclass(error, gofer.RequestException)
    for parent in TREE[name]:
        assert issubclass(error, parent)


def test_the_tree_is_complete() -> None:
    """Each exception of the module is in the table above."""
    found = {
        name for name in exceptions.__all__
        if issubclass(getattr(exceptions, name), Exception)
        and not issubclass(getattr(exceptions, name), Warning)
    }  # fmt: skip

    assert found - {"GoferError"} == set(TREE)
    assert exceptions.GoferError is exceptions.RequestException


@pytest.mark.parametrize(("name", "other"), NOT)
def test_exceptions_that_are_not_each_other(name: str, other: str) -> None:
    assert not issubclass(getattr(exceptions, name), getattr(exceptions, other))


@pytest.mark.parametrize("name", TREE)
def test_what_they_carry(name: str) -> None:
    """`request` and `response`, by keyword; class and message survive pickling."""
    error = getattr(exceptions, name)
    arguments = ("message", "{", 0) if name == "JSONDecodeError" else ("message",)
    request, answer = gofer.Request("GET", "http://a/"), gofer.Response()
    raised = error(*arguments, request=request, response=answer)
    bare = pickle.loads(pickle.dumps(error(*arguments)))

    assert (request, answer) == (raised.request, raised.response)
    assert type(bare) is error
    assert str(error(*arguments)) == str(bare)
    assert (None, None) == (bare.request, bare.response)


WARNINGS = {
    "HookWarning": UserWarning, "ConfigWarning": UserWarning, "FileModeWarning": DeprecationWarning,
    "InsecureRequestWarning": Warning, "RequestsDependencyWarning": Warning,
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name: str) -> None:
    """Below gofer's own warning, which Requests' name is another name of."""
    warning = getattr(exceptions, name)

    assert issubclass(warning, exceptions.GoferWarning)
    assert issubclass(warning, WARNINGS[name])
    assert exceptions.RequestsWarning is exceptions.GoferWarning


def failing(data: Any) -> None:
    raise KeyError("a hook's")


CAUSES_OF_WARNINGS: dict[str, Any] = {
    "text": lambda text: {"data": text},
    "text in files": lambda text: {"files": {"name": text}},
    "hook": lambda text: {"hooks": {"pre_request": failing}},
    "hook for arguments": lambda text: {"hooks": {"args": failing}},
    "config": lambda text: {"config": {"no_such_key": 1}},
    "auth": lambda text: {"auth": (1, "secret")},
}


@pytest.mark.parametrize("how", ["session", "function", "awaited"])
@pytest.mark.parametrize("cause", CAUSES_OF_WARNINGS)
def test_warnings_are_shown_where_the_caller_stands(cause: str, how: str, tmp_path: Path) -> None:
    """Not somewhere in gofer, where filters by module would not find them."""
    path = tmp_path / "text"
    path.write_text("text")

    async def awaited(url: str, **options: Any) -> None:
        async with gofer.AsyncSession() as session:
            await session.post(url, **options)

    with (
        serve(always(response(b""))) as server,
        path.open() as text,
        gofer.Session() as session,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        options = CAUSES_OF_WARNINGS[cause](text)
        if how == "awaited":
            asyncio.run(awaited(server.url, **options))
        else:
            (session.post if how == "session" else gofer.post)(server.url, **options)

    assert {__file__} == {warning.filename for warning in caught}


@pytest.mark.parametrize(
    "options",
    [{"proxy": "nope://host"}, {"proxies": {"http": "http://["}}, {"cookies": {"a": "b;"}},
     {"method": "G T"}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_the_request_that_was_not_sent(options: Any, session: gofer.Session) -> None:
    """Whatever keeps a request from being sent, it is there."""
    with pytest.raises(gofer.RequestException) as caught:
        session.request(**{"method": "GET", "url": "http://127.0.0.1:1/here", **options})

    assert "http://127.0.0.1:1/here" == caught.value.request.url


def test_content_that_cannot_be_sent_on(session: gofer.Session) -> None:
    """The redirect that asks for it is there, and the request that would follow."""
    redirect = b"HTTP/1.1 307 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    with serve(always(redirect)) as server:
        with pytest.raises(gofer.exceptions.UnrewindableBodyError) as caught:
            session.post(server.url, data=iter([b"a"]))

        assert 307 == caught.value.response.status_code
        assert server.url + "/there" == caught.value.request.url


# What came before ---------------------------------------------------------------------------------


def chain(error: BaseException) -> list[BaseException]:
    """`error` and what it came from, as tracebacks show it; fails if that has no end."""
    found: list[BaseException] = []
    following: BaseException | None = error
    while following is not None:
        assert not any(following is one for one in found), f"{following!r} comes from itself"
        found.append(following)
        following = following.__cause__ or (
            None if following.__suppress_context__ else following.__context__
        )
    return found


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = [
    b"", b"garbage\r\n\r\n", b"HTTP/1.1 200", OK + b"X: \0\r\n\r\n", OK + b"X: " + b"a" * 300_000,
    OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 103 E\r\n\r\n" * 30,
    b"HTTP/1.1 101 Switching\r\n\r\n", OK + b"Content-Length: 9\r\n\r\nab",
    OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
    OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nzz",
    OK + b"Content-Length: 1\r\n\r\n{",
    b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("retries", [0, gofer.Retry(1, backoff=0)], ids=["once", "retried"])
@pytest.mark.parametrize("answer", BROKEN, ids=range(len(BROKEN)))
def test_no_error_comes_from_itself(answer: bytes, retries: Any, session: gofer.Session) -> None:
    """Whatever a server sends, walking from its error to the causes comes to an end."""
    with serve(always(answer, close=True)) as server:
        for prefetch in (True, False):
            with pytest.raises(gofer.RequestException) as caught:
                session.get(server.url, prefetch=prefetch, config={"max_retries": retries}).json()

            chain(caught.value)


class Mine(Exception):
    """The caller's own."""


def test_the_callers_own_error_comes_from_what_he_did(session: gofer.Session) -> None:
    """One that content raises passes untouched, with the context it had."""

    def content() -> Iterator[bytes]:
        yield b"a"
        raise Mine from KeyError("what he met")

    with serve(Peer.wait_closed) as server, pytest.raises(Mine) as caught:
        session.post(server.url, data=content())

    assert [Mine, KeyError] == [type(error) for error in chain(caught.value)]


def test_a_cancelled_call_comes_from_nothing() -> None:
    """Nor does its cancelling come from itself, by `cancel()` or by a limit of asyncio's."""

    async def main(server: Server) -> list[BaseException]:
        async with gofer.AsyncSession() as session:
            with pytest.raises(TimeoutError) as caught:
                await asyncio.wait_for(session.get(server.url), 0.05)
            before = server.accepted
            task = asyncio.ensure_future(session.get(server.url))
            while server.accepted == before:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await task
        return [caught.value, cancelled.value]

    with serve(Peer.wait_closed) as server:
        for error in asyncio.run(main(server)):
            chain(error)
