"""HTTP/2 without I/O: any bytes of a peer's, in any pieces, are a named error or mean the same."""

import itertools
import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from servers.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    field,
    frame,
    head,
)

pytest.importorskip("ngh2", reason="HTTP/2 needs ngh2: pip install gofer[http2]")

REQUEST = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")]
LENGTH = (b"content-length", b"5")

GOOD = [
    frame(SETTINGS, 0, 0),
    frame(HEADERS, END_HEADERS, 1, head(200, LENGTH)),
    frame(DATA, END_STREAM, 1, b"hello"),
    frame(HEADERS, END_HEADERS, 3, head(103)),
    frame(HEADERS, END_HEADERS, 3, head(404, (b"x", b"y"))),
    frame(DATA, 0, 3, b"not"),
    frame(HEADERS, END_HEADERS | END_STREAM, 3, field(b"trailer", b"1")),
    frame(RST_STREAM, 0, 1, b"\0\0\0\0"),
    frame(RST_STREAM, 0, 3, b"\0\0\0\7"),
    frame(PING, 0, 0, b"12345678"),
    frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0"),
    frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0)),
]
ANY_FRAME = some.builds(
    frame, some.integers(0, 12), some.integers(0, 255), some.sampled_from([0, 1, 2, 3, 5, 2**31 - 1]),
    some.binary(max_size=40),
)  # fmt: skip
CONVERSATIONS = some.lists(some.sampled_from(GOOD) | ANY_FRAME, max_size=12).map(b"".join)


def outcome(pieces: Iterable[bytes], *, answering: bool = False) -> Any:
    """What has come of two requests, and how the connection fared.

    Args:
        answering: what there is to say is said between the pieces. That may make a difference: a
            stream that we have reset is another than one that we will.
    """
    from gofer.protocols.http1 import Limits
    from gofer.protocols.http2 import Http2Protocol

    protocol = Http2Protocol(Limits(), "peer")
    streams = [protocol.begin(REQUEST, has_content=False) for _ in range(2)]
    protocol.output(100_000, 0.0)
    for piece in pieces:
        protocol.feed([piece], 0.0)
        if answering:
            assert len(protocol.output(1_000_000, 0.0)) < 100_000
    assert len(protocol.output(1_000_000, 0.0)) < 100_000
    # Where all is over, it makes no difference what follows, and whether it was looked at.
    is_over = protocol.is_closing and all(stream.is_over for stream in streams)
    if protocol.failure is not None and not is_over:
        # Whether a stream heard of its own error first depends on what was sent in between.
        return type(protocol.failure)
    return (
        protocol.is_closing,
        [
            (
                stream.status,
                None if stream.fields is None else stream.fields.lines,
                [status for status, _ in stream.interim],
                b"".join(stream.pieces),
                list(stream.trailers),
                stream.complete,
                stream.error_code,
            )
            for stream in streams
        ],
    )


@given(CONVERSATIONS | some.binary(max_size=200), some.lists(some.integers(0, 300), max_size=6))
@example(frame(DATA, 0, 2) + frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0") + GOOD[0], [9])
@settings(max_examples=600, deadline=None)
def test_the_split_makes_no_difference(data: bytes, places: list[int]) -> None:
    """Byte by byte, in pieces and whole: nothing but named errors, and always the same."""
    cuts = sorted({0, len(data), *(place for place in places if place < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(cuts)]
    bytewise = [data[at : at + 1] for at in range(len(data))]
    assert outcome([data]) == outcome(pieces) == outcome(bytewise)
    outcome(bytewise, answering=True)


def test_a_good_conversation() -> None:
    """Two responses, one with an interim one and trailers."""
    is_closing, (first, second) = outcome([b"".join(GOOD[:7])])

    assert not is_closing
    assert (200, [LENGTH], [], b"hello", [], True, None) == first
    assert (404, [(b"x", b"y")], [103], b"not", [(b"trailer", b"1")], True, None) == second


def test_windows_follow_use() -> None:
    """Who reads nothing is sent a MiB; who reads much, further ahead."""
    import ngh2

    from gofer.protocols.http1 import Limits
    from gofer.protocols.http2 import LARGE_STREAM_WINDOW, STREAM_WINDOW, Http2Protocol

    protocol = Http2Protocol(Limits(), "peer")
    stream = protocol.begin(REQUEST, has_content=False)
    server = ngh2.Connection(ngh2.Role.SERVER, ngh2.Configuration())
    server.initiate_connection({})

    def exchange() -> int:
        """Let both say what they have to say; the bytes that are there, unread."""
        while True:
            said = protocol.output(1 << 20, 0.0)
            if said:
                server.receive_data(said)
                server.events()
            answer = server.data_to_send(1 << 20)
            if answer:
                protocol.feed([answer], 0.0)
            if not (said or answer):
                return sum(map(len, stream.pieces))

    exchange()
    server.send_response(stream.number, [(b":status", b"200")])
    server.send_data(stream.number, bytes(20_000_000), end_stream=True)
    assert exchange() == STREAM_WINDOW
    assert exchange() == STREAM_WINDOW
    protocol.take_pieces(stream)
    assert exchange() == STREAM_WINDOW
    protocol.take_pieces(stream)
    assert exchange() == LARGE_STREAM_WINDOW
    received = 2 * STREAM_WINDOW
    while not stream.complete or stream.pieces:
        received += sum(map(len, protocol.take_pieces(stream)))
        exchange()
    assert received == 20_000_000


def test_the_last_of_the_content_ends_the_stream_itself() -> None:
    """Without a frame of its own for that; what was said before goes first."""
    from gofer.protocols.http1 import Limits
    from gofer.protocols.http2 import Http2Protocol

    protocol = Http2Protocol(Limits(), "peer")
    stream = protocol.begin(REQUEST, has_content=True)
    protocol.feed([frame(SETTINGS, 0, 0)], 0.0)
    protocol.output(1 << 20, 0.0)
    protocol.send(stream, b"a")
    protocol.send(stream, b"b", is_last=True)
    sent = protocol.output(1 << 20, 0.0)

    assert stream.has_ended_sending
    assert sent in (
        frame(DATA, END_STREAM, 1, b"ab"),
        frame(DATA, 0, 1, b"a") + frame(DATA, END_STREAM, 1, b"b"),
    )
