"""Server-sent events: the format (WHATWG HTML, 9.2.6)."""

import itertools
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gofer.exceptions import RemoteProtocolError
from gofer.messages.events import EventReader, ServerSentEvent


def read(pieces: Iterable[bytes], reader: EventReader | None = None) -> list[tuple[str, str, str]]:
    reader = reader or EventReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return [(event.type, event.data, event.id) for event in (*events, *reader.end())]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: one\n\n", [("message", "one", "")]),
        (b"data:one\n\ndata:  two\n\n", [("message", "one", ""), ("message", " two", "")]),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
        (b": comment\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
         [("message", "first", "1"), ("message", "second", ""), ("message", " third", "")]),
        (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
        (b"event: add\ndata: 7\n\ndata: 8\n\n", [("add", "7", ""), ("message", "8", "")]),
        (b"event: nothing\n\ndata: 1\n\n", [("message", "1", "")]),
        (b"id: 5\n\ndata: 1\n\n", [("message", "1", "5")]),
        (b"id: a\0b\ndata: 1\n\n", [("message", "1", "")]),
        (b"data: 1\r\n\r\ndata: 2\r\rdata: 3\n\r\n", [("message", n, "") for n in "123"]),
        (b"data: 1\r\r", [("message", "1", "")]),
        (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [("message", "1", "")]),
        ("data: ü\n\n".encode(), [("message", "ü", "")]),
        (b"data: \xff\n\n", [("message", "\ufffd", "")]),
        (b"unknown: 1\nDATA: 2\ndata: 3\n\n", [("message", "3", "")]),
        (b"data: cut off", []),
        (b"data: cut off\n", []),
        (b"", []),
    ],
)  # fmt: skip
def test_the_format(text: bytes, events: list[tuple[str, str, str]]) -> None:
    """Whole and byte by byte."""
    assert events == read([text])
    assert events == read(text[at : at + 1] for at in range(len(text)))


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1500", 1.5), (b"0", 0.0), (b"-1", None), (b"1e3", None), (b"", None),
                           (b"9" * 400, None)],
)  # fmt: skip
def test_the_server_says_when_to_come_again(value: bytes, seconds: float | None) -> None:
    """In milliseconds; what is no number is ignored."""
    reader = EventReader()
    read([b"retry: " + value + b"\n\n"], reader)
    assert seconds == reader.retry


LINES = some.sampled_from(
    [b"data: 1", b"data", b":", b"id: 3", b"event: e", b"\r", b"\n", b"\r\n", b"\n\n", b"x", b"\xef\xbb\xbf"]
)  # fmt: skip


@given(some.lists(LINES).map(b"".join) | some.binary(), some.lists(some.integers(0, 60)))
def test_the_split_makes_no_difference(text: bytes, places: list[int]) -> None:
    """Any bytes in any pieces are the same events."""
    cuts = sorted({0, *places, len(text)})
    pieces = [text[start:end] for start, end in itertools.pairwise(cuts)]
    assert read([text]) == read(pieces) == by_the_book(text)


def by_the_book(content: bytes) -> list[tuple[str, str, str]]:
    """What the standard's own steps make of `content`, all at once."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    events = []
    data = kind = identity = ""
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append((kind or "message", data[:-1], identity))
            data = kind = ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            identity = value
    return events


def test_an_event_that_ends_with_cr_is_there_at_once() -> None:
    """It may be all there is for long; a line feed that comes after it is no line of its own."""
    reader = EventReader()
    assert [event.data for event in reader.feed(b"data: 1\r\r")] == ["1"]
    assert list(reader.feed(b"\n")) == []
    assert [event.data for event in reader.feed(b"data: 2\r")] == []
    assert [event.data for event in reader.feed(b"\ndata: 3\r\n\r")] == ["2\n3"]


@pytest.mark.parametrize("comment", [b": here\n", b":" + b"x" * 1000])
def test_comments_are_no_part_of_an_event(comment: bytes) -> None:
    """A server may say that it is there for as long as it likes."""
    reader = EventReader()
    for _ in range(17):
        assert list(reader.feed(comment * (1024 * 1024 // len(comment)))) == []
    assert [event.data for event in reader.feed(b"\ndata: 1\n\n")] == ["1"]


def test_events_ahead_of_one_that_is_too_large() -> None:
    events: list[ServerSentEvent] = []
    with pytest.raises(RemoteProtocolError, match="more than"):
        events.extend(EventReader().feed(b"data: 1\n\ndata: 2\n\n" + b"x" * 17_000_000))
    assert [event.data for event in events] == ["1", "2"]


@pytest.mark.parametrize("line", [b"data: " + b"x" * 1000 + b"\n", b"x" * 1000])
def test_an_event_without_end(line: bytes) -> None:
    """Is an error before it is all there is in memory."""
    reader = EventReader()
    with pytest.raises(RemoteProtocolError, match="more than"):
        for _ in range(20_000):
            list(reader.feed(line))
