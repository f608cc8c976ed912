"""A user's program, for `make check`: every public call has the type it is said to have.

It is read by mypy and never run. A line that ends in `type: ignore[...]` is an error on purpose: the
check fails when it is none any more.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Unpack, assert_type

import gofer
from gofer import (
    AsyncEventStream,
    AsyncSession,
    AsyncWebSocket,
    EventStream,
    RequestOptions,
    Response,
    Session,
    WebSocket,
)
from gofer.adapters import HTTPAdapter
from gofer.auth import AuthBase, HTTPDigestAuth
from gofer.cookies import RequestsCookieJar
from gofer.network.tls_info import TLSInfo

URL = "https://example.com/"


def calls() -> None:
    assert_type(gofer.get(URL), Response)
    assert_type(gofer.get(URL, {"q": ["a", "b"], "page": 2}, timeout=3), Response)
    assert_type(gofer.options(URL), Response)
    assert_type(gofer.head(URL, allow_redirects=True), Response)
    assert_type(gofer.post(URL, {"a": "1"}), Response)
    assert_type(gofer.post(URL, json=[1, 2], params=[("a", 1)]), Response)
    assert_type(gofer.put(URL, b"content", headers={"Content-Type": "text/plain"}), Response)
    assert_type(gofer.patch(URL, iter([b"a", b"b"])), Response)
    assert_type(gofer.delete(URL, session=Session()), Response)
    assert_type(gofer.request("QUERY", URL, data="a", priority=1), Response)
    assert_type(gofer.request("GET", URL, return_response=False), gofer.Request)
    with open("report.csv", "rb") as file:
        gofer.post(URL, file, files={"report": file})
    gofer.get(URL, timeout=(3, None), verify=ssl.create_default_context(), cert=("a.pem", None))
    gofer.get(URL, timeout=gofer.Timeouts(connect=3), verify=Path("ca.pem"), cert="client.pem")
    gofer.get(URL, headers={"Accept": None}, cookies={"a": "1"}, auth=("user", "password"))
    gofer.get(URL, auth=HTTPDigestAuth("user", "password"), proxies={"https": "socks5://proxy"})
    gofer.get(URL, proxy="http://proxy:3128")
    gofer.get(URL, proxy=["socks5://a", "http://b"])
    gofer.get(URL, auth=False, hooks={"response": [print]}, config={"max_retries": 2})
    gofer.get(URL, deadline=5, stream=True, prefetch=None, cookies=RequestsCookieJar())


def mistakes(session: Session, response: Response) -> None:
    gofer.get(URL, timout=3)  # type: ignore[call-arg]
    gofer.get(URL, timeout="3")  # type: ignore[arg-type]
    gofer.get(URL, headers=5)  # type: ignore[arg-type]
    gofer.get(URL, proxy={"all": "http://proxy"})  # type: ignore[arg-type]
    gofer.get(URL, return_response=False)  # type: ignore[call-arg]
    gofer.frobnicate(URL)  # type: ignore[attr-defined]
    gofer.map([URL], ordered=True)  # type: ignore[call-overload]
    session.get(URL, verify=3.4)  # type: ignore[arg-type]
    session.post(URL, json={}, jason={})  # type: ignore[call-arg]
    session.websocket(URL, files={})  # type: ignore[call-arg]
    session.send(URL)  # type: ignore[arg-type]
    response.status_cod  # type: ignore[attr-defined]  # noqa: B018
    response.content + "text"  # type: ignore[operator]
    response.request.url_parsed.hots  # type: ignore[attr-defined]  # noqa: B018


def answers(response: Response) -> None:
    assert_type(response.status_code, int)
    assert_type(response.url, str)
    assert_type(response.ok, bool)
    assert_type(response.reason, str | None)
    assert_type(response.headers["content-type"], str)
    assert_type(response.headers.get("content-type"), str | None)
    assert_type(response.content, bytes)
    assert_type(response.text, str)
    assert_type(response.encoding, str | None)
    assert_type(response.json(), Any)
    assert_type(response.elapsed, timedelta)
    assert_type(response.history, list[Response])
    assert_type(response.request, gofer.PreparedRequest)
    assert_type(response.next, gofer.PreparedRequest | None)
    assert_type(response.cookies, RequestsCookieJar)
    assert_type(response.links, dict[str, dict[str, str]])
    assert_type(response.version, str)
    assert_type(response.tls, TLSInfo | None)
    assert_type(response.error, Exception | None)
    assert_type(response.iter_content(10), Iterator[bytes])
    assert_type(response.iter_content(None, True), Iterator[str | bytes])
    assert_type(response.iter_lines(), Iterator[bytes])
    assert_type(response.iter_lines(decode_unicode=True), Iterator[str | bytes])
    assert_type(response.events(), Iterator[gofer.ServerSentEvent])
    with response as same:
        assert_type(same, Response)


class Answer(Response):
    """A response of a user's own."""


class Authority(Session):
    """A session that knows where it is, as programs have them."""

    def request(self, method: str | bytes, url: Any, *args: Any, **kwargs: Any) -> Response:
        return super().request(method, URL + url, *args, **kwargs)


class Token(AuthBase):
    """Credentials of a user's own."""

    def __call__(self, r: Any) -> Any:
        r.headers["Authorization"] = "Bearer token"
        return r


def fetch(path: str, **options: Unpack[RequestOptions]) -> Response:
    return gofer.request("GET", URL + path, **options)


def sessions(answer: Answer) -> None:
    assert_type(answer.history, list[Answer])
    assert_type(fetch("a", timeout=3, auth=Token()).status_code, int)
    with Authority(headers={"Accept": "text/plain"}, timeout=3, verify=False) as session:
        assert_type(session, Authority)
        assert_type(session.get("a").status_code, int)
    with gofer.session() as session_of_2012:
        assert_type(session_of_2012, Session)
    session = Authority()
    session.headers["Accept"] = "text/plain"
    session.headers = {"Accept": "text/plain"}
    session.cookies = {"a": "1"}
    session.mount("https://", HTTPAdapter(pool_maxsize=3))
    assert_type(session.request("GET", URL), Response)
    assert_type(session.cookies, RequestsCookieJar)
    assert_type(session.max_redirects, int)
    prepared = session.prepare_request(gofer.Request("GET", URL, priority=1))
    assert_type(prepared, gofer.PreparedRequest)
    assert_type(session.send(prepared, stream=True), Response)
    with session.events(URL, last_event_id="3", method="POST") as events:
        assert_type(events, EventStream)
        for event in events:
            assert_type(event, gofer.ServerSentEvent)
            assert_type(event.data, str)
    with session.websocket(URL, headers={"Origin": "a"}) as socket:
        assert_type(socket, WebSocket)
        assert_type(socket.receive(timeout=3), str | bytes)
        assert_type(socket.ping(), float)
        assert_type(socket.closed, gofer.WebSocketClosed | None)
        socket.send("text")
        for message in socket:
            assert_type(message, str | bytes)


async def awaited() -> None:
    async with AsyncSession(timeout=3) as session:
        assert_type(session, AsyncSession)
        later: Coroutine[Any, Any, Response] = session.get(URL)
        assert_type(await later, Response)
        assert_type(await session.post(URL, json={}), Response)
        response = await session.request("GET", URL, stream=True)
        assert_type(response, Response)
        assert_type(await response.aread(), bytes)
        assert_type(response.aiter_content(), AsyncIterator[bytes])
        assert_type(response.aiter_lines(decode_unicode=True), AsyncIterator[str | bytes])
        async for event in response.aevents():
            assert_type(event, gofer.ServerSentEvent)
        async with session.events(URL) as events:
            assert_type(events, AsyncEventStream)
            async for event in events:
                assert_type(event, gofer.ServerSentEvent)
        iter(session.events(URL))  # type: ignore[call-overload]
        assert_type(await session.websocket(URL), AsyncWebSocket)
        async with session.websocket(URL) as socket:
            assert_type(socket, AsyncWebSocket)
            assert_type(await socket.receive(), str | bytes)
            await socket.send(b"bytes")
            async for message in socket:
                assert_type(message, str | bytes)
        await session.get(URL, timout=3)  # type: ignore[call-arg]
        socket.receive()  # type: ignore[unused-coroutine]
        list(socket)  # type: ignore[call-overload]
    assert_type(await gofer.aio.get(URL, session=session), Response)
    await gofer.aio.get(URL, session=Session())  # type: ignore[arg-type]


def number(request: Any, error: Exception) -> int | None:
    return None


def many(report: Callable[[int, int, int | None], None]) -> None:
    assert_type(gofer.map([URL], 5, rate=3), list[Response])
    assert_type(gofer.map([URL], exception_handler=number), list[Response | int])
    assert_type(gofer.imap((URL for _ in range(3)), progress=report), Iterator[Response])
    assert_type(gofer.imap([URL], exception_handler=number), Iterator[Response | int])
    unsent = gofer.async_.get(URL, timeout=3)
    assert_type(unsent, gofer.Request)
    assert_type(unsent.response, Response | None)


def errors(response: Response) -> None:
    try:
        response.raise_for_status()
    except gofer.HTTPError as error:
        assert_type(error.response, Response)
        assert_type(error.request, gofer.PreparedRequest)
    except gofer.WebSocketClosed as error:
        assert_type(error.code, int)
    except gofer.RequestException as error:
        assert_type(error.response, Response | None)
        assert_type(error.request, gofer.PreparedRequest | None)
        error.response.status_code  # type: ignore[union-attr]  # noqa: B018
