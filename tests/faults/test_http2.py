"""HTTP/2 connections and streams that are not what they should be (rows 12 and 85 to 97).

The server makes its frames by hand. What goes wrong on a stream is that stream's own; what goes
wrong on the connection ends it with the error code of RFC 9113, 7, and every exchange on it hears
of it. Either way the session is usable at once.
"""

import asyncio
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

import gofer
from faults.asking import PATIENCE, session_for
from gofer.exceptions import (
    ConnectionError,
    ConnectTimeout,
    FieldSectionTooLarge,
    IncompleteContent,
    LocalProtocolError,
    ReadTimeout,
    RemoteProtocolError,
    Timeout,
    WriteTimeout,
)
from servers.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frames,
    field,
    frame,
    head,
)
from servers.raw import Peer, Script, Server, serve

pytest.importorskip("ngh2", reason="HTTP/2 needs ngh2: pip install gofer[http2]")

PLAIN_PYTHON = pytest.mark.only_in("blocking")
KNOWN = {"http2": "prior knowledge"}

NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 0, 1, 3, 5, 6
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 7, 8, 9, 11

HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 3, 4, 5

Answer = Callable[[Frames, int], object]


def speaking(first: Answer, settings: dict[int, int] | None = None) -> Callable[[Peer], None]:
    """`first` answers the first request of all; every other gets a good response."""
    seen = threading.Lock()

    def script(peer: Peer) -> None:
        server = Frames(peer, settings if peer.index == 0 else None)
        while True:
            stream = server.receive_request()
            if seen.acquire(blocking=False):
                first(server, stream)
                if peer.is_closed:
                    return
            else:
                server.answer(stream)

    return script


def ask(
    first: Answer,
    method: str = "GET",
    *,
    settings: dict[int, int] | None = None,
    session: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[gofer.Response, Server]:
    """The response that the caller gets; a second request must be right whatever came of it."""
    with serve(speaking(first, settings)) as server:
        config = {"http2": "prior knowledge"}
        with session_for(config=config, **(session or {})) as client:
            try:
                response = client.request(method, f"{server.url}/first", **options)
                if not options.get("stream"):
                    response.content  # noqa: B018
                return response, server
            finally:
                second = client.get(f"{server.url}/next", timeout=10)
                assert (200, b"next") == (second.status_code, second.content)
                assert "HTTP/2" == second.version


def sends(*frames: bytes) -> Answer:
    """Frames as they are; `STREAM` is not known before the request, and always 1."""

    def answer(server: Frames, _stream: int) -> None:
        server.peer.send(b"".join(frames))

    return answer


def goaway(last: int, code: int = NO_ERROR) -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def reset(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def headers(*fields: tuple[bytes, bytes], status: int | bytes = 200, end: bool = False) -> bytes:
    flags = END_HEADERS | (END_STREAM if end else 0)
    return frame(HEADERS, flags, 1, head(status, *fields))


def fails_with(code: int) -> tuple[Callable[[bytes], Answer], list[int | None]]:
    """A maker of answers, and the error codes that the client left with."""
    codes: list[int | None] = []

    def sending(frames: bytes) -> Answer:
        def answer(server: Frames, _stream: int) -> None:
            server.peer.send(frames)
            codes.append(server.receive_goaway())

        return answer

    return sending, codes


# Row 12 and 85: the server ends it ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "refusal", [reset(1, REFUSED_STREAM), goaway(0), goaway(0, ENHANCE_YOUR_CALM)],
    ids=["REFUSED_STREAM", "GOAWAY", "GOAWAY for a reason"],
)  # fmt: skip
def test_row_12_what_was_not_looked_at_is_sent_again(method: str, refusal: bytes):
    """Whatever the method: the server says that it has not seen it (RFC 9113, 8.7)."""
    content = {"data": b"content"} if method == "POST" else {}
    response, server = ask(sends(refusal), method, **content)

    assert b"next" == response.content
    assert 3 == len(server.requests)


def test_row_12_a_server_that_refuses_for_ever_is_an_error():
    """Not without end."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        while True:
            server.peer.send(reset(server.receive_request(), REFUSED_STREAM))

    with serve(script) as server, session_for(config={"http2": "prior knowledge"}) as client:
        with pytest.raises(ConnectionError, match="refused"):
            client.get(server.url)
    assert 5 < len(server.requests) < 30


def test_fields_too_large_for_any_server_are_refused_before_they_are_sent():
    """Ours, not the server's: nobody asks again, and the connection goes on."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        while True:
            server.answer(server.receive_request())

    with serve(script) as server, session_for(config=KNOWN) as client:
        client.get(server.url)
        with pytest.raises(LocalProtocolError, match="at most 1048576"):
            client.get(server.url, headers={"X-Large": "x" * 1024 * 1024})
        assert b"next" == client.get(server.url).content
    assert 2 == len(server.requests)
    assert 1 == server.accepted


def test_row_12_a_busy_server_is_given_time(monkeypatch: pytest.MonkeyPatch):
    """It refuses streams and stays: one waits a little longer each time, within the deadline."""
    monkeypatch.setattr("gofer.stages.retries.FIRST_PAUSE", 0.001)

    def script(peer: Peer) -> None:
        server = Frames(peer)
        for _ in range(5):
            server.peer.send(reset(server.receive_request(), REFUSED_STREAM))
        server.answer(server.receive_request())
        while True:
            server.peer.send(reset(server.receive_request(), REFUSED_STREAM))

    with serve(script) as server, session_for(config=KNOWN) as client:
        assert b"next" == client.post(server.url, data=b"content").content
        assert 6 == len(server.requests)
        monkeypatch.setattr("gofer.stages.retries.FIRST_PAUSE", 30.0)
        with pytest.raises(ConnectionError, match="refused"):
            client.get(server.url, deadline=20)
    assert 7 == len(server.requests)


@PLAIN_PYTHON
def test_row_12_a_generator_that_has_begun_is_not_sent_again():
    """It cannot be: the pieces are gone."""
    with pytest.raises(ConnectionError, match="refused"):
        ask(sends(reset(1, REFUSED_STREAM)), "POST", data=iter([b"one", b"two"]))


def test_row_85_goodbye_lets_what_runs_come_to_its_end():
    """GOAWAY with our stream in it: the response comes whole, the next goes elsewhere."""
    response, server = ask(sends(goaway(1), headers(), frame(DATA, END_STREAM, 1, b"hello")))

    assert b"hello" == response.content
    assert 2 == server.accepted


def test_row_85_a_warning_ahead_of_the_goodbye():
    """GOAWAY with the highest number there is (RFC 9113, 6.8), and a real one later."""
    last = 2**31 - 1
    response, _ = ask(
        sends(goaway(last), headers(), goaway(1), frame(DATA, END_STREAM, 1, b"hello"))
    )

    assert b"hello" == response.content


@pytest.mark.parametrize("code", [PROTOCOL_ERROR, 2, CANCEL, 13, 0xDEADBEEF])
def test_row_85_a_reset_before_the_head_is_an_error(code: int):
    """It is not sent again by itself: the server may have acted on it."""
    with pytest.raises(ConnectionError):
        ask(sends(reset(1, code)), "POST", data=b"x")


@pytest.mark.parametrize("code", [NO_ERROR, 2, CANCEL, REFUSED_STREAM])
def test_row_85_a_reset_in_the_content_is_never_a_short_content(code: int):
    """Even with NO_ERROR when a length was declared."""
    length = (b"content-length", b"10")
    with pytest.raises((IncompleteContent, RemoteProtocolError)):
        ask(sends(headers(length), frame(DATA, 0, 1, b"hello"), reset(1, code)))


@pytest.mark.parametrize("end", [Peer.half_close, Peer.reset, Peer.cut], ids=["FIN", "RST", "cut"])
def test_row_85_the_connection_ends_in_the_content(end: Callable[[Peer], None]):
    """An error that says so; the next request has a connection of its own."""

    def answer(server: Frames, _stream: int) -> None:
        server.peer.send(headers() + frame(DATA, 0, 1, b"hello"))
        end(server.peer)

    with pytest.raises((IncompleteContent, ConnectionError)):
        ask(answer)


@pytest.mark.parametrize("content", [b"hel", b"hello!"], ids=["short", "long"])
def test_row_85_content_of_another_length_than_declared(content: bytes):
    """RFC 9113, 8.1.1: malformed."""
    with pytest.raises((RemoteProtocolError, IncompleteContent)):
        ask(sends(headers((b"content-length", b"5")), frame(DATA, END_STREAM, 1, content)))


def test_row_85_the_connection_ends_before_an_answer():
    """GET is repeated once on a new connection, POST never."""

    def answer(server: Frames, _stream: int) -> None:
        server.peer.cut()

    with pytest.raises(ConnectionError):
        ask(answer, "POST", data=b"x")


# Row 86: floods -----------------------------------------------------------------------------------

FLOODS = {
    "SETTINGS": frame(SETTINGS, 0, 0),
    "SETTINGS of 32": frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", 0xF0F0, n) for n in range(32))),
    "PING": frame(PING, 0, 0, b"12345678"),
    "empty DATA": frame(DATA, 0, 1),
    "padding": frame(DATA, PADDED, 1, b"\xc8" + b"\0" * 200),
    "PRIORITY": frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
    "WINDOW_UPDATE of the connection": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "unknown frames": frame(0xBB, 0, 1, b"x"),
    "ALTSVC": frame(0xA, 0, 0, b"\0\1aclear"),
    "RST_STREAM": reset(1, CANCEL),
}  # fmt: skip


@PLAIN_PYTHON
@pytest.mark.parametrize("kind", FLOODS)
def test_row_86_a_flood_of_frames_that_lead_nowhere_is_an_error(kind: str):
    """400,000 of them: the connection ends long before."""
    start = headers() if "DATA" in kind or kind == "padding" else b""

    def answer(server: Frames, _stream: int) -> None:
        server.peer.send(start)
        try:
            for _ in range(400):
                server.peer.send(FLOODS[kind] * 1000)
        except OSError:
            return
        raise AssertionError("the client took all of it")

    with pytest.raises(ConnectionError):
        ask(answer, session={"timeout": 20})


def test_row_86_a_few_of_them_are_the_protocols_own():
    """Ten of each do no harm."""
    few = b"".join(flood * 10 for kind, flood in FLOODS.items() if kind not in ("RST_STREAM",))
    response, server = ask(sends(headers(), few, frame(DATA, END_STREAM, 1, b"hello")))

    assert b"hello" == response.content
    assert 1 == server.accepted


def test_row_86_interim_responses_without_end():
    """103 for ever: over the limit it is an error."""
    early = headers((b"link", b"</style.css>"), status=103)
    with pytest.raises(RemoteProtocolError, match="interim"):
        ask(sends(early * 100))


# Row 87: HPACK ------------------------------------------------------------------------------------


def fragmented(block: bytes, size: int, count: int) -> bytes:
    """HEADERS without its end, then CONTINUATION frames."""
    return frame(HEADERS, 0, 1, head(200)) + frame(CONTINUATION, 0, 1, block * size) * count


BROKEN_BLOCKS = {
    "index 0": b"\x80",
    "index behind the table": b"\xff\x80\x01",
    "an integer without end": b"\xff" + b"\x80" * 100 + b"\x01",
    "an integer past 2^64": b"\xff" + b"\xff" * 12 + b"\x7f",
    "a table larger than allowed": b"\x3f\xe1\xff\x03",
    "a string cut off": b"\0\x05ab",
    "Huffman padding of zeros": b"\0\x81\x00\x01a",
    "Huffman with EOS": b"\0\x84\xff\xff\xff\xff\x01a",
}


@pytest.mark.parametrize("kind", BROKEN_BLOCKS)
def test_row_87_a_field_section_that_cannot_be_read(kind: str):
    """COMPRESSION_ERROR: the state of the table is lost, and the connection with it."""
    sending, codes = fails_with(COMPRESSION_ERROR)
    broken = frame(HEADERS, END_HEADERS | END_STREAM, 1, BROKEN_BLOCKS[kind] + head(200))

    with pytest.raises(RemoteProtocolError):
        ask(sending(broken))
    assert [COMPRESSION_ERROR] == codes


@PLAIN_PYTHON
def test_row_87_a_small_section_that_means_a_large_one():
    """One entry of 4 kB in the table, referred to 16,000 times: 64 MB in 16 kB."""
    entry = b"\x40\x01x\x7f\xa1\x1d" + b"y" * 3872
    bomb = frame(HEADERS, 0, 1, head(200) + entry)
    bomb += frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 12_000)

    with pytest.raises((FieldSectionTooLarge, RemoteProtocolError)):
        ask(sends(bomb))


@PLAIN_PYTHON
def test_row_87_a_section_that_never_ends():
    """CONTINUATION after CONTINUATION, with fields and without."""
    for block in (field(b"x", b"y"), b""):
        with pytest.raises(RemoteProtocolError):
            ask(sends(fragmented(block, 10, 30_000)))


@PLAIN_PYTHON
def test_row_87_a_flood_of_table_sizes():
    """Each changes the table, and the section holds nothing else."""
    flood = (
        frame(HEADERS, 0, 1, b"\x20" * 16_000) + frame(CONTINUATION, 0, 1, b"\x20" * 16_000) * 30
    )
    with pytest.raises(RemoteProtocolError):
        ask(sends(flood))


@PLAIN_PYTHON
def test_row_87_too_many_fields_and_too_large_ones():
    """The limits are those of HTTP/1.1 (config: max_fields, max_field_section)."""
    many = b"".join(field(b"x%d" % n, b"y") for n in range(1500))
    large = field(b"x", b"y" * 9000) * 40
    for block in (many, large):
        cut = [block[i : i + 16_000] for i in range(0, len(block), 16_000)]
        frames = [frame(HEADERS, END_STREAM, 1, head(200))]
        frames += [
            frame(CONTINUATION, END_HEADERS if piece is cut[-1] else 0, 1, piece) for piece in cut
        ]
        with pytest.raises((FieldSectionTooLarge, RemoteProtocolError)):
            ask(sends(*frames))


# Row 88: frames against the rules -----------------------------------------------------------------

DISORDERLY = {
    "a frame over the limit": (frame(DATA, 0, 1, b"x" * 16_385), FRAME_SIZE_ERROR),
    "DATA on stream 0": (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "DATA on an idle stream": (frame(DATA, 0, 7, b"x"), PROTOCOL_ERROR),
    "DATA on a stream of the server's": (frame(DATA, 0, 2, b"x"), PROTOCOL_ERROR),
    "padding longer than the frame": (headers() + frame(DATA, PADDED, 1, b"\xffx"), PROTOCOL_ERROR),
    "HEADERS on an even stream": (frame(HEADERS, END_HEADERS, 2, head(200)), PROTOCOL_ERROR),
    "HEADERS on an idle stream": (frame(HEADERS, END_HEADERS, 9, head(200)), PROTOCOL_ERROR),
    "a push": (
        frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + field(b":method", b"GET")),
        PROTOCOL_ERROR,
    ),
    "CONTINUATION out of nothing": (frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL_ERROR),
    "another frame inside a section": (
        frame(HEADERS, 0, 1, head(200)) + frame(PING, 0, 0, b"12345678"), PROTOCOL_ERROR,
    ),
    "a window of the connection over 2^31": (
        frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), FLOW_CONTROL_ERROR,
    ),
    "an update of zero": (frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR),
    "MAX_FRAME_SIZE 0": (frame(SETTINGS, 0, 0, struct.pack(">HI", MAX_FRAME_SIZE, 0)), PROTOCOL_ERROR),
    "INITIAL_WINDOW_SIZE over 2^31": (
        frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 2**31)), FLOW_CONTROL_ERROR,
    ),
    "ENABLE_PUSH 1": (frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 1)), PROTOCOL_ERROR),
    "ENABLE_PUSH 2": (frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2)), PROTOCOL_ERROR),
    "SETTINGS of 5 bytes": (frame(SETTINGS, 0, 0, b"12345"), FRAME_SIZE_ERROR),
    "SETTINGS on a stream": (frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
    "an acknowledgement with content": (frame(SETTINGS, ACK, 0, b"123456"), FRAME_SIZE_ERROR),
    "PING of 7 bytes": (frame(PING, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
    "PING on a stream": (frame(PING, 0, 1, b"12345678"), PROTOCOL_ERROR),
    "RST_STREAM on stream 0": (frame(RST_STREAM, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR),
    "RST_STREAM on an idle stream": (reset(9, CANCEL), PROTOCOL_ERROR),
    "GOAWAY on a stream": (frame(GOAWAY, 0, 1, b"\0" * 8), PROTOCOL_ERROR),
    "GOAWAY of 4 bytes": (frame(GOAWAY, 0, 0, b"\0" * 4), FRAME_SIZE_ERROR),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [
        # h2 has another code for that
        pytest.param(kind, marks=[pytest.mark.ngh2] if "acknowledgement" in kind else [])
        for kind in DISORDERLY
    ],
)
def test_row_88_a_frame_against_the_rules_ends_the_connection(kind: str):
    """With the error code that the rules have for it."""
    frames, code = DISORDERLY[kind]
    sending, codes = fails_with(code)

    with pytest.raises(ConnectionError):
        ask(sending(frames))
    assert [code] == codes


def test_row_88_more_than_the_window_of_a_stream_allows():
    """A window of 1 MiB, and 2 MiB that nobody has asked for (row 96)."""
    codes: list[int | None] = []

    def answer(server: Frames, _stream: int) -> None:
        server.peer.send(headers())
        server.peer.send(frame(DATA, 0, 1, b"x" * 16_384) * 128)
        kind, _, _, payload = server.receive_until(RST_STREAM, GOAWAY)
        codes.append(int.from_bytes(payload[-4:] if kind == RST_STREAM else payload[4:8], "big"))

    with serve(speaking(answer)) as server:
        with session_for(config={"http2": "prior knowledge"}, timeout=5) as client:
            with client.get(f"{server.url}/first", stream=True) as response:
                # Somebody else's exchange reads what has come for all; nobody takes this content.
                with pytest.raises(gofer.RequestException):
                    client.get(f"{server.url}/second", timeout=2)
                    response.content  # noqa: B018
            assert b"next" == client.get(f"{server.url}/next").content
    assert [FLOW_CONTROL_ERROR] == codes


# Row 89 and 90: what is unknown, and windows ------------------------------------------------------


def test_row_89_unknown_frames_and_settings_are_ignored():
    """RFC 9113, 5.5."""
    unknown = frame(0xEE, 0xFF, 1, b"?") + frame(SETTINGS, 0, 0, struct.pack(">HI", 0xFEFE, 1))
    response, server = ask(sends(unknown, headers(), unknown, frame(DATA, END_STREAM, 1, b"hello")))

    assert b"hello" == response.content
    assert 1 == server.accepted


def never_reads(server: Frames, _stream: int) -> None:
    raise AssertionError("the whole request came through a window of nothing")


def test_row_90_a_window_of_nothing_is_waited_for():
    """And for no longer than the timeout of writing."""

    def script(peer: Peer) -> None:
        server = Frames(peer, {INITIAL_WINDOW_SIZE: 0} if peer.index == 0 else None)
        while True:
            server.answer(server.receive_request())

    with serve(script) as server:
        with session_for(config={"http2": "prior knowledge"}) as client:
            assert b"next" == client.get(server.url).content  # a head needs no window
            with pytest.raises(WriteTimeout):
                client.post(server.url, data=b"x" * 200_000)
            assert b"next" == client.get(server.url).content


def test_row_90_a_window_below_nothing_opens_again():
    """SETTINGS may take back what was given (RFC 9113, 6.9.2)."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        _, _, stream, _ = server.receive_until(HEADERS)
        server.receive_until(DATA, stream=stream)
        server.send(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 10))
        server.send(PING, 0, 0, b"12345678")
        while True:
            kind, flags, _, _ = server.receive()
            if kind == PING and flags & ACK:
                break
        server.send(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 1_000_000))
        server.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1_000_000))
        while not flags & END_STREAM or kind != DATA:
            kind, flags, _, _ = server.receive()
        server.answer(stream)

    with serve(script) as server:
        with session_for(config={"http2": "prior knowledge"}, timeout=10) as client:
            assert b"next" == client.post(server.url, data=b"x" * 200_000).content


# Row 91: places -----------------------------------------------------------------------------------


def test_row_91_no_stream_at_all_is_allowed():
    """The request waits, and no longer than its timeout."""
    with serve(lambda peer: Frames(peer, {MAX_CONCURRENT_STREAMS: 0}).receive_goaway()) as server:
        with session_for(config={"http2": "prior knowledge"}) as client:
            with pytest.raises(Timeout):
                client.get(server.url)


# Row 92: field sections ---------------------------------------------------------------------------

MALFORMED = {
    "upper case": [(b"X-Upper", b"1")],
    "CR LF in a value": [(b"x", b"a\r\nset-cookie: b=c")],
    "NUL in a value": [(b"x", b"a\0b")],
    "space around a value": [(b"x", b" a ")],
    "a name of nothing": [(b"", b"a")],
    "a space in a name": [(b"x y", b"a")],
    "a colon in a name": [(b"x:y", b"a")],
    "status twice": [(b":status", b"200")],
    "a pseudo-header field late": [(b"x", b"y"), (b":status", b"200")],
    "one of requests": [(b":path", b"/")],
    "one that nobody knows": [(b":what", b"ever")],
    "connection": [(b"connection", b"close")],
    "transfer-encoding": [(b"transfer-encoding", b"chunked")],
    "keep-alive": [(b"keep-alive", b"timeout=5")],
    "proxy-connection": [(b"proxy-connection", b"close")],
    "upgrade": [(b"upgrade", b"websocket")],
    "two lengths": [(b"content-length", b"5"), (b"content-length", b"6")],
    "a length that is none": [(b"content-length", b"+5")],
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_row_92_a_malformed_field_section_is_an_error_of_the_stream(kind: str):
    """The connection goes on (RFC 9113, 8.1.1)."""
    with pytest.raises(RemoteProtocolError):
        ask(sends(headers(*MALFORMED[kind]), frame(DATA, END_STREAM, 1, b"hello")))


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"abc", b"+20", b" 200", b"099", b"000"])
def test_row_92_a_status_that_is_none(status: bytes):
    """Three digits, and the first of them 1 to 9."""
    with pytest.raises(RemoteProtocolError):
        ask(sends(headers(status=status, end=True)))


def test_row_92_no_status():
    """A field section without it is no response."""
    with pytest.raises(RemoteProtocolError):
        ask(sends(frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x", b"y"))))


def test_row_92_switching_protocols_has_no_place():
    """RFC 9113, 8.6."""
    with pytest.raises(RemoteProtocolError):
        ask(sends(headers(status=101)))


# Row 93: what is allowed --------------------------------------------------------------------------


def test_row_93_trailers():
    """Fields behind the content."""
    trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x-checksum", b"5d41"))
    response, _ = ask(sends(headers(), frame(DATA, 0, 1, b"hello"), trailers))

    assert b"hello" == response.content
    assert {"x-checksum": "5d41"} == dict(response.trailers)


def with_length_behind(length: bytes) -> Answer:
    trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"content-length", length))
    return sends(headers(), frame(DATA, 0, 1, b"hello"), trailers)


def test_row_93_a_length_in_the_trailers():
    """It is left out."""
    response, _ = ask(with_length_behind(b"5"))
    assert (b"hello", {}) == (response.content, dict(response.trailers))


@pytest.mark.ngh2
def test_row_93_a_wrong_length_in_the_trailers():
    """It is an error that says so: the library compares it with what has come."""
    with pytest.raises(IncompleteContent, match="trailers .* content-length"):
        ask(with_length_behind(b"4"))


def test_row_93_early_hints():
    """Interim responses are data on the final one."""
    early = headers((b"link", b"</style.css>"), status=103)
    response, _ = ask(sends(early, headers(end=True)))

    assert 200 == response.status_code
    assert [103] == [status for status, _ in response.interim]


def test_row_93_padding_is_not_content():
    """Padded DATA and HEADERS."""
    padded = frame(HEADERS, END_HEADERS | PADDED, 1, b"\x05" + head(200) + b"\0" * 5)
    response, _ = ask(sends(padded, frame(DATA, END_STREAM | PADDED, 1, b"\x03hello\0\0\0")))

    assert b"hello" == response.content


def test_row_93_an_answer_before_the_upload_is_over():
    """413 and RST_STREAM(NO_ERROR): the response counts, the upload stops (RFC 9113, 8.1)."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        _, _, stream, _ = server.receive_until(HEADERS)
        server.receive_until(DATA, stream=stream)
        server.send_head(stream, 413, (b"content-length", b"7"))
        server.send(DATA, END_STREAM, stream, b"too big")
        server.send(RST_STREAM, 0, stream, b"\0\0\0\0")
        while True:
            server.answer(server.receive_request())

    with serve(script) as server:
        with session_for(config={"http2": "prior knowledge"}, timeout=10) as client:
            response = client.post(server.url, data=iter([b"x" * 50_000] * 100))
            assert (413, b"too big") == (response.status_code, response.content)
            assert b"next" == client.get(server.url).content
        assert 1 == server.accepted


# Row 94: silence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start", [b"", frame(HEADERS, 0, 1, head(200)), headers()[:12]],
    ids=["before the head", "between its frames", "in a frame"],
)  # fmt: skip
def test_row_94_silence_is_a_timeout_of_that_request(start: bytes):
    """And of no other."""
    with serve(lambda peer: silent(peer, start)) as server:
        with session_for(config={"http2": "prior knowledge"}) as client, pytest.raises(ReadTimeout):
            client.get(server.url)


def silent(peer: Peer, start: bytes) -> None:
    server = Frames(peer)
    server.receive_request()
    peer.send(start)
    server.receive_goaway()


def test_row_94_silence_in_the_content():
    """A timeout that names the content; the connection goes on."""
    with pytest.raises(Timeout, match="content"):
        ask(sends(headers(), frame(DATA, 0, 1, b"hello")))


def test_row_94_a_connection_is_asked_for_a_sign_of_life_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
):
    """One whose peer has vanished is not trusted with a request."""
    monkeypatch.setattr("gofer.network.shared.UNTRUSTED_AFTER", 0.0)
    monkeypatch.setattr("gofer.network.shared.SIGN_OF_LIFE", 0.3)

    def script(peer: Peer) -> None:
        server = Frames(peer)
        server.answer(server.receive_request(), b"%d" % peer.index)
        while peer.receive():
            pass  # it hears, and says nothing more

    with serve(script) as server, session_for(config={"http2": "prior knowledge"}) as client:
        assert b"0" == client.get(server.url).content
        assert b"1" == client.post(server.url, data=b"sent once").content
        assert 2 == len(server.requests)


# Row 10, of many: a connection that ended while nobody listened ----------------------------------


def answering(leave: Callable[[Peer], None] | None) -> Script:
    """Answers what is posted. On the first connection one request, and then it leaves, or says
    nothing more."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        while True:
            _, flags, stream, _ = server.receive_until(HEADERS, DATA)
            if not flags & END_STREAM:
                continue
            server.answer(stream, b"%d" % peer.index)
            if peer.index == 0:
                peer.wait("here")  # before that a reset would take the answer with it
                if leave is not None:
                    leave(peer)
                peer.open("gone")
                if leave is not Peer.reset:
                    peer.receive_to_end()
                return

    return script


def by_tasks(server: Server) -> list[bytes]:
    async def main() -> list[bytes]:
        async with gofer.AsyncSession(config=KNOWN, timeout=20) as session:
            held = await session.post(server.url, data=b"x", stream=True)
            server.gates["here"].set()
            await asyncio.to_thread(server.gates["gone"].wait)
            posts = [session.post(server.url, data=b"x") for _ in range(5)]
            responses = await asyncio.gather(*posts)
            await held.aclose()
            return [response.content for response in responses]

    return asyncio.run(main())


def by_map(server: Server) -> list[bytes]:
    with gofer.Session(config=KNOWN, timeout=20) as session:
        [held] = gofer.map([gofer.Request("POST", server.url, data=b"x")], session=session)
        server.gates["here"].set()
        server.gates["gone"].wait()
        requests = [gofer.Request("POST", server.url, data=b"x") for _ in range(5)]
        responses = gofer.map(requests, session=session)
        held.close()
        return [response.content for response in responses]


def by_threads(server: Server) -> list[bytes]:
    contents: list[bytes] = []
    with gofer.Session(config=KNOWN, timeout=20) as session:
        held = session.post(server.url, data=b"x")
        server.gates["here"].set()
        server.gates["gone"].wait()

        def work() -> None:
            contents.append(session.post(server.url, data=b"x").content)

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        held.close()
    return contents


@PLAIN_PYTHON
@pytest.mark.parametrize("leave", [Peer.half_close, Peer.reset, None])
@pytest.mark.parametrize("ask", [by_tasks, by_map, by_threads])
def test_row_10_many_at_once_on_a_connection_that_ended_meanwhile(
    ask: Callable[[Server], list[bytes]],
    leave: Callable[[Peer], None] | None,
    monkeypatch: pytest.MonkeyPatch,
):
    """One of them finds out, and all go elsewhere, whatever their method; one response is held."""
    if leave is None:
        monkeypatch.setattr("gofer.network.shared.UNTRUSTED_AFTER", 0.0)
        monkeypatch.setattr("gofer.network.shared.SIGN_OF_LIFE", 0.3)
    with serve(answering(leave)) as server:
        assert [b"1"] * 5 == ask(server)


@PLAIN_PYTHON
def test_row_10_whoever_waited_looks_itself_if_the_one_who_looked_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("gofer.network.shared.UNTRUSTED_AFTER", 0.0)
    monkeypatch.setattr("gofer.network.shared.SIGN_OF_LIFE", 0.3)

    async def main(server: Server) -> None:
        async with gofer.AsyncSession(config=KNOWN, timeout=5) as session:
            await session.post(server.url, data=b"x")
            server.gates["here"].set()
            await asyncio.to_thread(server.gates["gone"].wait)
            first, second = (
                asyncio.ensure_future(session.post(server.url, data=b"x")) for _ in range(2)
            )
            for _ in range(5):
                await asyncio.sleep(0)  # until one looks and the other waits
            first.cancel()
            assert b"1" == (await second).content

    with serve(answering(None)) as server:
        asyncio.run(main(server))


# Row 95 and 97 ------------------------------------------------------------------------------------


def test_row_95_an_answer_in_http_1():
    """Prior knowledge that was wrong."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with serve(script) as server, session_for(config={"http2": "prior knowledge"}) as client:
        with pytest.raises(RemoteProtocolError):
            client.get(server.url)


@PLAIN_PYTHON
def test_row_97_one_slow_stream_never_blocks_another():
    """One response that nobody reads, one that never comes: a third is not held up."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        unread = server.receive_request()
        server.send_head(unread, 200)
        for _ in range(64):  # all of its window
            server.send(DATA, 0, unread, b"x" * 16_384)
        server.receive_request()  # no answer, ever
        peer.open("both")
        while True:
            server.answer(server.receive_request())

    with serve(script) as server:
        with session_for(config={"http2": "prior knowledge"}, timeout=10) as client:
            held = client.get(server.url, stream=True)
            errors: list[BaseException] = []

            def never() -> None:
                try:
                    client.get(server.url, timeout=2)
                except ReadTimeout as error:
                    errors.append(error)

            thread = threading.Thread(target=never)
            thread.start()
            server.gates["both"].wait()
            for _ in range(20):
                assert b"next" == client.get(server.url, timeout=PATIENCE).content
            held.close()
            thread.join(20)
            assert 1 == len(errors)
        assert 1 == server.accepted


def test_the_clients_preface_is_answered_by_nothing():
    """A server that accepts and says nothing: a timeout in bounded time."""
    with serve(lambda peer: peer.wait_closed()) as server:
        with session_for(config={"http2": "prior knowledge"}) as client:
            with pytest.raises((ReadTimeout, ConnectTimeout)):
                client.get(server.url)
