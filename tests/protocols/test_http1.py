"""HTTP/1.1 without a network: any bytes in any pieces, against ourselves and against h11."""

from collections.abc import Iterable, Iterator
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gofer.exceptions import (
    ChunkedEncodingError,
    ConnectionLost,
    FieldSectionTooLarge,
    InvalidMethod,
    RemoteProtocolError,
)
from gofer.protocols.http1 import Limits, ResponseReader
from gofer.protocols.http1_request import chunk, request_head
from gofer.protocols.http1_whole import WholeResponse
from servers.raw import split_every_way

NAMED = (RemoteProtocolError, ChunkedEncodingError, ConnectionLost)

# What responses are made of, and what could be taken for it.
TOKENS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n",
    b"HTTP/1.1 101 Switching\r\n", b"HTTP/1.1 999 x\r\n", b"HTTP/1.1 200\r\n", b"HTTP/2 200\r\n",
    b"HTTP/1.1 20", b"0 OK\r\n", b"ICY 200 OK\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\n\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"content-length: 5, 5\r\n",
    b"Content-Length: +5\r\n", b"Content-Length: 3\r\n", b"Content-Length:\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
    b"transfer-encoding: CHUNKED\r\n", b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n",
    b"Connection: keep-alive\r\n", b"Upgrade: h2c\r\n", b"X-Field: value\r\n", b"X-Field: a\r\n b\r\n",
    b"X: a\rb\r\n", b"X: \x00\r\n", b"X : y\r\n", b": y\r\n", b"no colon\r\n", b"Set-Cookie: a=1\r\n",
    b"hello", b"hel", b"lo", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nTrailer: 1\r\n\r\n", b"5;x=y\r\n",
    b"5\r\nhelloXX", b"5\nhello\n", b"-5\r\n", b"fffffffffffffffff\r\n", b"0x5\r\n", b"00\r\n\r\n", b"X",
    b"0\r\nContent-Length: 9\r\n\r\n", b"\xff", b" ", b"\t", b";", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
]  # fmt: skip

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Field: value\r\n\r\nhello"
GOOD_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n"
    b"0\r\nX-T: 1\r\n\r\n"
)

STREAMS = st.lists(st.sampled_from(TOKENS), max_size=9).map(b"".join)
NEAR_STREAMS = st.builds(
    lambda head, rest: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + rest,
    st.lists(st.sampled_from(TOKENS), max_size=3).map(b"".join),
    st.lists(st.sampled_from(TOKENS), max_size=5).map(b"".join),
)
METHODS = st.sampled_from(["GET", "HEAD"])


def outcome(pieces: Iterable[bytes], method: str = "GET", limits: Limits | None = None) -> Any:
    """What a connection would make of `pieces` and the end: the response, or the error's class.

    The second value says whether anything came behind the response.
    """
    reader = ResponseReader(limits or Limits())
    reader.begin(method)
    content = b""
    try:
        for piece in pieces:
            if reader.complete:
                reader.excess = True
                break
            reader.feed(piece)
            if reader.status:
                content += b"".join(reader.take_pieces())
        if not reader.complete:
            reader.eof()
            content += b"".join(reader.take_pieces())
    except NAMED as error:
        return type(error)
    assert reader.fields is not None
    return (
        reader.status,
        reader.fields.lines,
        [(status, fields.lines) for status, fields in reader.interim],
        content,
        reader.trailers,
        # A connection with excess bytes is closed in any case, so the rest says nothing then.
        reader.excess or reader.keep_alive,
        reader.excess,
    )


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """`data` in pieces, none empty."""
    start = 0
    for place in sorted({place % len(data) for place in places} if data else set()):
        if place:
            yield data[start:place]
            start = place
    if data[start:]:
        yield data[start:]


@given(STREAMS | NEAR_STREAMS | st.binary(max_size=60), METHODS)
@settings(max_examples=600, deadline=None)
@example(b"\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", "GET")
@example(b"\n\r\nHTTP/1.1 100 Continue\r\n\r\n", "HEAD")
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 40, "GET")
def test_any_bytes(data: bytes, method: str) -> None:
    """Whatever comes is a response or one of the named errors, and the message is short."""
    reader = ResponseReader(Limits())
    reader.begin(method)
    message = ""
    try:
        reader.feed(data) if data else None
        if not reader.complete:
            reader.eof()
    except NAMED as error:
        message = str(error)

    assert len(message) < 300


@given(STREAMS | NEAR_STREAMS, METHODS, st.lists(st.integers(0, 400), max_size=6))
@settings(max_examples=1200, deadline=None)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "GET", [20])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\n\r\n\r\n", "GET", [119])
@example(b"HTTP/1.1 100 Continue\r\n\r\n\r\n\r\n", "GET", [25])
@example(b"HTTP/1.1 100 Continue\r\n\r\n\r\n\r\nHTTP/1.1 200 OK\r\n", "GET", [34])
@example(b"HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + GOOD, "GET", [25])
@example(GOOD * 3, "GET", [58])
@example(GOOD + b"\n", "GET", [58])
@example(GOOD_CHUNKED + b"\r\n", "GET", [75])
@example(GOOD_CHUNKED + b"\r", "GET", [75])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 0000000000000000000002\r\n\r\nhi", "GET", [])
@example(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", "GET", [23])
def test_the_split_makes_no_difference(data: bytes, method: str, places: list[int]) -> None:
    """The same response, or the same class of error, in pieces, byte by byte and whole."""
    whole = outcome([data] if data else [], method)

    assert whole == outcome(cut(data, places), method)
    assert whole == outcome([data[i : i + 1] for i in range(len(data))], method)


GOOD_RESPONSES = [
    GOOD,
    GOOD_CHUNKED,
    GOOD * 3,
    GOOD + b"\n",
    GOOD_CHUNKED + b"\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end",
    b"\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Folded: one\r\n two\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("data", GOOD_RESPONSES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_split_of_a_good_response(data: bytes, method: str) -> None:
    """Cut at every place, and in three pieces at every two places near the seams."""
    if method == "HEAD":
        head_end = data.rfind(b"\r\n\r\n") + 4 if b"103" in data else data.find(b"\r\n\r\n", 2) + 4
        data = data[:head_end]
    whole = outcome([data], method)
    assert isinstance(whole, tuple), whole

    for pieces in split_every_way(data):
        assert whole == outcome(pieces, method), pieces


@given(STREAMS | NEAR_STREAMS)
@settings(max_examples=1200, deadline=None)
def test_the_quick_road_leads_to_the_same_place(data: bytes) -> None:
    """What the reader of ordinary answers takes, the full reader reads the same way."""
    quick = WholeResponse(Limits())
    if not quick.read(data):
        return
    status, fields, _, content, _, keep_alive, excess = outcome([data])

    assert (status, fields, content, keep_alive, excess) == (
        quick.status, quick.fields.lines, quick.content, quick.keep_alive, False,
    )  # fmt: skip


@given(STREAMS | NEAR_STREAMS)
@settings(max_examples=300, deadline=None)
def test_the_quick_road_forgets(data: bytes) -> None:
    """Whatever it has seen before, the next ordinary answer of the connection is read as it is."""
    quick = WholeResponse(Limits())
    if quick.read(data) and not quick.keep_alive:
        return  # there is no next one

    assert quick.read(GOOD_RESPONSES[0])
    assert (200, b"hello", True) == (quick.status, quick.content, quick.keep_alive)


@given(STREAMS | NEAR_STREAMS, METHODS)
@settings(max_examples=300, deadline=None)
def test_a_reader_that_was_left_in_any_state_begins_anew(data: bytes, method: str) -> None:
    """`begin` forgets the last response, as far as the connection could be used again."""
    reader = ResponseReader(Limits())
    reader.begin(method)
    try:
        reader.feed(data) if data else None
    except NAMED:
        return
    if not reader.complete or reader.excess or not reader.keep_alive:
        return
    reader.begin("GET")
    reader.feed(GOOD_RESPONSES[1])

    assert (200, True, False) == (reader.status, reader.complete, reader.excess)
    assert b"hello!" == b"".join(reader.take_pieces())
    assert [(b"X-T", b"1")] == reader.trailers


# Against h11 ----------------------------------------------------------------------------------------


def by_h11(data: bytes, method: str) -> Any:
    """(status, content) of the final response, or None where h11 refuses or waits for more."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    status, content = 0, b""
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, content
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except (h11.RemoteProtocolError, RuntimeError):
        return None


@given(NEAR_STREAMS, METHODS)
@settings(max_examples=1500, deadline=None)
def test_nothing_is_read_another_way_than_by_h11(data: bytes, method: str) -> None:
    """Where both read a response, it is the same one: no two readings of the same bytes."""
    ours, theirs = outcome([data], method), by_h11(data, method)
    if theirs is None or isinstance(ours, type):
        return

    assert theirs == (ours[0], ours[3])


# Limits at n - 1, n and n + 1 -----------------------------------------------------------------------


def head_of(size: int) -> bytes:
    start, end = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ", b"\r\n\r\n"
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize(("size", "is_fine"), [(999, True), (1000, True), (1001, False)])
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_the_size_of_a_head(size: int, is_fine: bool, pieces: str) -> None:
    """`max_field_section` bytes, the empty line included."""
    data = head_of(size)
    assert size == len(data)
    limits = Limits(max_field_section=1000)
    got = outcome([data] if pieces == "whole" else [bytes([b]) for b in data], limits=limits)

    assert is_fine is isinstance(got, tuple)
    if not is_fine:
        assert got is FieldSectionTooLarge


@pytest.mark.parametrize(("count", "is_fine"), [(9, True), (10, True), (11, False)])
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_the_number_of_fields(count: int, is_fine: bool, pieces: str) -> None:
    """`max_fields` lines in a head; the status line is none."""
    data = b"HTTP/1.1 204 No Content\r\n" + b"X: 12345678901234567890\r\n" * count + b"\r\n"
    got = outcome([data] if pieces == "whole" else [bytes([b]) for b in data],
                  limits=Limits(max_fields=10))  # fmt: skip

    assert is_fine is isinstance(got, tuple)


@pytest.mark.parametrize(("count", "is_fine"), [(2, True), (3, True), (4, False)])
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_the_number_of_interim_responses(count: int, is_fine: bool, pieces: str) -> None:
    """`max_interim_responses` heads before the final one."""
    data = b"HTTP/1.1 103 Hints\r\n\r\n" * count + GOOD_RESPONSES[0]
    got = outcome([data] if pieces == "whole" else [bytes([b]) for b in data],
                  limits=Limits(max_interim_responses=3))  # fmt: skip

    assert is_fine is isinstance(got, tuple)


@pytest.mark.parametrize("digits", [15, 16, 17])
def test_digits_of_a_chunk_size(digits: int) -> None:
    """Sixteen digits are read, seventeen are refused, unless all but sixteen are zeros in front."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    zeros = head + b"5".rjust(digits, b"0") + b"\r\nhello\r\n0\r\n\r\n"
    for pieces in ([zeros], [bytes([b]) for b in zeros]):
        assert b"hello" == outcome(pieces)[3]

    ones = head + b"1" * digits + b"\r\n"
    with pytest.raises(ChunkedEncodingError, match="closed" if digits <= 16 else "reading"):
        reader = ResponseReader(Limits())
        reader.feed(ones)
        reader.eof()


@pytest.mark.parametrize(
    ("value", "is_fine"), [(2**63 - 1, True), (2**63, False), (10**19, False), (2**64, False)]
)
def test_the_largest_content_length(value: int, is_fine: bool) -> None:
    """2^63 - 1, as a file has."""
    reader = ResponseReader(Limits())
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % value
    if is_fine:
        reader.feed(data)
        assert value == reader.remaining
        return
    with pytest.raises(RemoteProtocolError):
        reader.feed(data)


# Sending --------------------------------------------------------------------------------------------


@given(st.text(max_size=20))
@settings(max_examples=300)
def test_any_method(method: str) -> None:
    """It makes one request line of three words, or is refused."""
    try:
        head = request_head(method, b"/", b"host", b"")
    except InvalidMethod:
        return

    assert 2 == head.count(b"\r\n") - 1
    assert 3 == len(head.split(b"\r\n")[0].split(b" "))


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_chunks_come_back(pieces: list[bytes]) -> None:
    """What is sent in chunks is what is read from them."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    got = outcome([head, *map(chunk, pieces), b"0\r\n\r\n"])

    assert b"".join(pieces) == got[3]
