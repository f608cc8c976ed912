"""Listening to server-sent events, in every world."""

import asyncio
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionError, HTTPError, RemoteProtocolError
from servers.raw import Peer, always, answers, refused_port, response, serve
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"


def stream(text: bytes, end: Any = Peer.close) -> Any:
    """Events until the connection closes."""

    def step(peer: Peer) -> None:
        peer.send(HEAD + text)
        end(peer)

    return step


def last_event_ids(server: Any) -> list[bytes | None]:
    lines = [request.lower().split(b"\r\n") for request in server.requests]
    return [
        next((line.partition(b": ")[2] for line in head if line.startswith(b"last-event-id")), None)
        for head in lines
    ]


def test_events_of_a_response() -> None:
    """As they come, without connecting again."""
    with serve(always(stream(b'data: 1\n\nevent: add\ndata: {"n": 2}\n\n'))) as server:
        with gofer.Session() as session:
            first, second = session.get(server.url).events()
    assert ("message", "1") == (first.type, first.data)
    assert ("add", {"n": 2}) == (second.type, second.json())


def test_a_stream_that_ends_is_asked_for_again() -> None:
    """Where it left off; 204 says that there is no more."""
    steps = (
        stream(b"retry: 1\nid: a\ndata: 1\n\nid: b\ndata: 2\n\ndata: not whole"),
        stream(b"data: 3\n\n"),
        response(status="204 No Content"),
    )
    with serve(answers(*steps)) as server, gofer.Session() as session:
        events = session.events(server.url)
        assert ["1", "2", "3"] == [event.data for event in events]
        assert "b" == events.last_event_id
        assert [None, b"b", b"b"] == last_event_ids(server)
    assert b"accept: text/event-stream" in server.requests[0].lower()


def test_a_stream_that_breaks_is_asked_for_again() -> None:
    """A reset, and content that is cut off."""
    cut = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 500\r\n\r\n"
        b"id: 2\ndata: 2\n\n"
    )

    def half(peer: Peer) -> None:
        peer.send(cut)
        peer.half_close()

    steps = (stream(b"retry: 1\nid: 1\ndata: 1\n\n", half_and_reset), half,
             response(status="204 No Content"))  # fmt: skip
    with serve(answers(*steps)) as server, gofer.Session(timeout=5) as session:
        seen = [event.data for event in session.events(server.url)]
    assert "2" in seen
    assert last_event_ids(server)[-1] == b"2"


def half_and_reset(peer: Peer) -> None:
    peer.reset()


def test_reconnecting_has_a_limit() -> None:
    """The end is the end then; a break is an error."""
    with serve(always(stream(b"retry: 1\ndata: 1\n\n"))) as server, gofer.Session() as session:
        assert 3 == len(list(session.events(server.url, reconnects=2)))
        assert 1 == len(list(session.events(server.url, reconnects=0)))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response(status="404 Not Found"), HTTPError),
        (response(b"{}", content_type="application/json"), RemoteProtocolError),
        (response(b"data: 1\n\n"), RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", RemoteProtocolError),
    ],
)
def test_what_is_no_stream_is_an_error(answer: bytes, error: type[Exception]) -> None:
    """At once, and not asked for again."""
    with serve(always(answer)) as server, gofer.Session() as session:
        with pytest.raises(error):
            list(session.events(server.url))
        assert 1 == len(server.requests)


def test_a_server_that_was_never_there_is_an_error() -> None:
    """Nothing is tried again before the first answer."""
    with gofer.Session() as session, pytest.raises(ConnectionError):
        list(session.events(f"http://127.0.0.1:{refused_port()}/"))


def test_closing_lets_go_of_the_connection() -> None:
    """In the middle of a stream that goes on."""
    with serve(always(stream(b"data: 1\n\ndata: 2\n\n", Peer.wait_closed))) as server:
        with gofer.Session(timeout=5) as session:
            with session.events(server.url, last_event_id="7", headers={"X-A": "b"}) as events:
                assert "1" == next(events).data
            assert [] == list(events)
            assert (0, 0, 0) == session.network.pool.counts
        assert [b"7"] == last_event_ids(server)
        assert b"x-a: b" in server.requests[0].lower()


@pytest.mark.only_in("blocking")
def test_an_async_session_listens_too() -> None:
    """By `async for`; each session says which of the two it has."""

    async def main(url: str) -> None:
        async with gofer.AsyncSession() as session:
            seen = [event.data async for event in session.events(url)]
            assert ["1", "2"] == seen
            answer = await session.get(url, stream=True)
            assert ["3"] == [event.data async for event in answer.aevents()]
            with pytest.raises(TypeError, match="async for"):
                iter(session.events(url))

    steps = (stream(b"retry: 1\nid: 4\ndata: 1\n\n"), stream(b"data: 2\n\n"),
             response(status="204 No Content"), stream(b"data: 3\n\n"))  # fmt: skip
    with serve(answers(*steps)) as server:
        asyncio.run(main(server.url))
        assert [None, b"4", b"4", None] == last_event_ids(server)
    with gofer.Session() as session, pytest.raises(TypeError, match="`for`"):
        aiter(session.events("http://127.0.0.1:1/"))
