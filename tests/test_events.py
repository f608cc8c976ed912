"""Listening to server-sent events, in every world."""

import asyncio
import gzip
import threading
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionError, HTTPError, RemoteProtocolError
from gofer.listening import pause
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


def test_the_content_of_another_answer_is_there() -> None:
    """However long it is: it says what is wrong."""
    answer = response(b"x" * 1_000_000, status="403 Forbidden")
    with serve(always(answer)) as server, gofer.Session() as session:
        with pytest.raises(HTTPError, match="got 403") as caught:
            list(session.events(server.url))
    assert 1_000_000 == len(caught.value.response.content)


def test_another_answer_that_is_cut_off_is_one_all_the_same() -> None:
    """What it says counts, not how it ends."""
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot"
    with serve(always(answer, close=True)) as server, gofer.Session() as session:
        with pytest.raises(HTTPError, match="got 403"):
            list(session.events(server.url))


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
            with pytest.raises(TypeError, match="not iterable"):
                iter(session.events(url))  # type: ignore[call-overload]

    steps = (stream(b"retry: 1\nid: 4\ndata: 1\n\n"), stream(b"data: 2\n\n"),
             response(status="204 No Content"), stream(b"data: 3\n\n"))  # fmt: skip
    with serve(answers(*steps)) as server:
        asyncio.run(main(server.url))
        assert [None, b"4", b"4", None] == last_event_ids(server)
    with gofer.Session() as session, pytest.raises(TypeError, match="not an async iterable"):
        aiter(session.events("http://127.0.0.1:1/"))  # type: ignore[arg-type]


# Connecting again ---------------------------------------------------------------------------------


def test_an_end_inside_of_a_line_end_is_an_end() -> None:
    """Half a CRLF is no reason to connect again, neither at once nor beyond the limit."""
    with serve(always(stream(b"data: 1\r\r"))) as server, gofer.Session() as session:
        assert ["1"] == [event.data for event in session.events(server.url, reconnects=0)]
        assert 1 == len(server.requests)


@pytest.mark.parametrize(
    ("asked", "failures", "seconds"),
    [
        (None, 0, 3), (None, 2, 12), (None, 100, 60), (1.5, 0, 1.5), (1.5, 1, 3),
        (0, 0, 0.1), (0, 3, 0.8), (0, 100, 60), (300, 0, 300), (300, 5, 300), (10**6, 1, 3600),
    ],
)  # fmt: skip
@pytest.mark.only_in("blocking")
def test_the_pause(asked: float | None, failures: int, seconds: float) -> None:
    """As long as the server said, within reason, and longer each time in vain."""
    assert seconds == pytest.approx(pause(asked, failures))


@pytest.mark.parametrize(
    ("identity", "sent"),
    [
        (b" a ", b"a"), (b"a\tb", b"a\tb"), (b"a\x01b", None), (b"a\x7f", None), (b"  ", None),
        ("ü€".encode(), "ü€".encode()),
    ],
)  # fmt: skip
def test_an_id_that_no_field_can_say(identity: bytes, sent: bytes | None) -> None:
    """Is left out, white space around one does not count; the stream goes on."""
    steps = (stream(b"retry: 1\nid: " + identity + b"\ndata: 1\n\n"), stream(b"data: 2\n\n"),
             response(status="204 No Content"))  # fmt: skip
    with serve(answers(*steps)) as server, gofer.Session() as session:
        events = list(session.events(server.url))
    assert ["1", "2"] == [event.data for event in events]
    assert [None, sent, sent] == last_event_ids(server)


@pytest.mark.parametrize("headers", [{"last-event-id": "3"}, [("Last-Event-ID", "3")]])
def test_a_last_id_among_the_headers_is_the_first(headers: Any) -> None:
    """The events' own follow it."""
    steps = (stream(b"retry: 1\nid: 4\ndata: 1\n\n"), response(status="204 No Content"))
    with serve(answers(*steps)) as server, gofer.Session() as session:
        events = session.events(server.url, headers=headers)
        assert "3" == events.last_event_id
        assert 1 == len(list(events))
    assert [b"3", b"4"] == last_event_ids(server)


def test_coded_events_that_are_cut_off_are_asked_for_again() -> None:
    head = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    whole = gzip.compress(b"retry: 1\nid: 1\ndata: 1\n\n" + b": " + b"x" * 100 + b"\n")

    def cut(peer: Peer) -> None:
        peer.send(head + whole[:-8])
        peer.close()

    with serve(answers(cut, response(status="204 No Content"))) as server:
        with gofer.Session() as session:
            assert ["1"] == [event.data for event in session.events(server.url)]
        assert [None, b"1"] == last_event_ids(server)


def test_events_ahead_of_an_error_come_first() -> None:
    def large(peer: Peer) -> None:
        peer.send(HEAD + b"data: 1\n\ndata: 2\n\ndata: " + b"x" * 17_000_000)
        peer.wait_closed()

    with serve(always(large)) as server, gofer.Session() as session:
        events = session.events(server.url)
        assert ["1", "2"] == [next(events).data, next(events).data]
        with pytest.raises(RemoteProtocolError, match="more than"):
            next(events)
        assert [] == list(events)


# Leaving ------------------------------------------------------------------------------------------


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("retry", [None, b"3600000"], ids=["listening", "between"])
def test_one_thread_closes_what_another_listens_to(retry: bytes | None) -> None:
    """It is woken, wherever it waits."""
    text = b"data: 1\n\n" if retry is None else b"retry: " + retry + b"\ndata: 1\n\n"
    step = stream(text, Peer.wait_closed if retry is None else Peer.close)
    heard = threading.Event()
    seen: list[str] = []

    with serve(always(step)) as server, gofer.Session() as session:
        events = session.events(server.url)

        def listen() -> None:
            for event in events:
                seen.append(event.data)
                heard.set()

        thread = threading.Thread(target=listen)
        thread.start()
        heard.wait()
        if retry is not None:
            server.wait_for(lambda: server.open == 0)
        events.close()
        thread.join()
    assert ["1"] == seen
    assert 1 == len(server.requests)


@pytest.mark.only_in("blocking")
def test_whoever_is_cancelled_can_go_on() -> None:
    """On the same connection, or in the middle of a pause."""

    def wait(peer: Peer) -> None:
        peer.wait("go")
        peer.send(b"data: 2\n\n")
        peer.close()

    async def cancel(events: Any) -> None:
        listening = asyncio.ensure_future(anext(events))
        for _ in range(5):  # as far as it gets without us
            await asyncio.sleep(0)
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

    async def main(server: Any) -> None:
        async with gofer.AsyncSession() as session:
            events = session.events(server.url)
            assert "1" == (await anext(events)).data
            await cancel(events)
            server.gates["go"].set()
            assert "2" == (await anext(events)).data
            await cancel(events)  # at the end, or in the pause
            await cancel(events)
            assert "3" == (await anext(events)).data
            await events.aclose()

    first = stream(b"retry: 50\nid: 1\ndata: 1\n\n", wait)
    counted = iter((first, stream(b"data: 3\n\n", Peer.wait_closed)))

    def script(peer: Peer) -> None:
        peer.receive_head()
        next(counted)(peer)

    with serve(script) as server:
        asyncio.run(main(server))
        assert [None, b"1"] == last_event_ids(server)
