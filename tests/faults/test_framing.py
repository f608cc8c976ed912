"""HTTP/1.1 messages that are not what they should be (rows 19 to 47).

The framing of a response is read by an exact grammar; whatever is uncertain is an error and ends
the connection, so that nothing of one response can become part of another.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import HEAD, NEXT, ask, chunked, plain, session_for, stay
from gofer.exceptions import (
    ChunkedEncodingError,
    FieldSectionTooLarge,
    IncompleteContent,
    RemoteProtocolError,
    UncertainFraming,
)
from servers.raw import Peer, response, serve, split_every_way

SOURCE = Path(gofer.__file__).resolve().parents[1]
ENDS = pytest.mark.parametrize("end", [stay, Peer.half_close], ids=["stays open", "FIN"])


def flood(start: bytes, piece: bytes, count: int = 10_000) -> Callable[[Peer], None]:
    """`start` and then `piece` for ever, or until the client has had enough."""

    def script(peer: Peer) -> None:
        peer.send(start)
        for _ in range(count):
            peer.send(piece)

    return script


# Content-Length -------------------------------------------------------------------------------


@ENDS
def test_row_19_chunked_wins_over_content_length(end: Any):
    """With both framings the chunked coding counts, and the connection is not used again."""
    answer = (
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    got = ask(answer, end=end)

    assert b"hello" == got.content
    assert 2 == got.server.accepted


@pytest.mark.parametrize("lines", [b"5\r\nContent-Length: 5", b"5, 5", b"5,5 , 5"])
def test_row_20_equal_content_lengths_are_one(lines: bytes):
    """The same Content-Length said twice is tolerated; the connection is not used again."""
    got = ask(HEAD + b"Content-Length: " + lines + b"\r\n\r\nhello")

    assert b"hello" == got.content
    assert 2 == got.server.accepted


@pytest.mark.parametrize(
    "lines", [b"5\r\nContent-Length: 6", b"6\r\nContent-Length: 5", b"5, 6", b"5,", b"5\r\nX: y\r\nCONTENT-length: 4"]
)  # fmt: skip
def test_row_20_different_content_lengths_are_refused(lines: bytes):
    """Two different lengths are an error, in one field line or in two."""
    with pytest.raises(RemoteProtocolError):
        ask(HEAD + b"Content-Length: " + lines + b"\r\n\r\nhello!")


@ENDS
@pytest.mark.parametrize(
    "value",
    ["-5", "+5", "0x5", "1_0", "5.0", "5 5", "", "abc", "²", "٥", "5;", "\x0b5", "5" * 29,
     str(2**63), str(10**19), str(2**64), str(2**64 + 5)],
)  # fmt: skip
def test_row_21_a_content_length_is_digits_below_2_to_the_63(value: str, end: Any):
    """Signs, other bases, separators, other scripts' digits and overflows are errors."""
    with pytest.raises(RemoteProtocolError):
        ask(HEAD + b"Content-Length: " + value.encode() + b"\r\n\r\nhello", end=end)


@pytest.mark.parametrize("value", [b"05", b"5 ", b"\t5", b"0" * 18 + b"5", b"0" * 24 + b"5"])
def test_row_21_zeros_and_white_space_around_a_content_length_are_fine(value: bytes):
    """Leading zeros are digits, and white space around a value is no part of it."""
    got = ask(HEAD + b"Content-Length: " + value + b"\r\n\r\nhello")

    assert b"hello" == got.content
    assert 1 == got.server.accepted


MEASURE = """
import resource, sys
import gofer
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    gofer.get(sys.argv[1], timeout=5).content
    print("no error")
except gofer.exceptions.RequestException as error:
    print(type(error).__name__)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def memory_of(url: str) -> tuple[str, int]:
    """The error that getting `url` gives in a new process, and by how many MiB that grew."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, url],
        capture_output=True, text=True, check=True, timeout=50, env={"PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    error, grown = done.stdout.split("\n")[:2]
    return error, int(grown)


@pytest.mark.only_in("blocking")  # in a process of its own
def test_row_22_memory_is_not_reserved_for_a_promise():
    """Eight GiB are announced, five bytes come: an error, and no memory was taken for it."""
    with serve(lambda peer: peer.send(HEAD + b"Content-Length: 8589934592\r\n\r\nhello")) as server:
        error, grown = memory_of(server.url)

    assert "IncompleteContent" == error
    assert grown < 20


# Chunked ----------------------------------------------------------------------------------------


@ENDS
@pytest.mark.parametrize(
    "size",
    [b"-5", b"+5", b"0x5", b"0_5", b"", b"xyz", b"5zz", b" 5", b"5 ", b"5\t", b"5\x00", b"5;a\x00",
     b"10000000000000005", b"f" * 17, "٥".encode()],
)  # fmt: skip
def test_row_23_a_chunk_size_is_hexadecimal_digits(size: bytes, end: Any):
    """Whatever else stands before a chunk, or a size over 64 bits, is an error."""
    with pytest.raises(ChunkedEncodingError):
        ask(chunked(size + b"\r\nhello\r\n0\r\n\r\n"), end=end)


@pytest.mark.parametrize(
    "size",
    [b"a", b"A", b"0" * 15 + b"A", b"a;b", b"a;b=c", b'a;b="c;d\te"', b"a;b=c;d=e"],
)
def test_row_23_good_chunk_sizes_and_extensions(size: bytes):
    """Either case, leading zeros and extensions are fine; extensions are ignored."""
    got = ask(chunked(size + b"\r\nhelloworld\r\n0\r\n\r\n"))

    assert b"helloworld" == got.content
    assert 1 == got.server.accepted


@pytest.mark.parametrize("behind", [b"XX", b"", b"\r\r", b"\n\n", b"\rX", b" \r\n"])
def test_row_24_chunk_data_ends_with_crlf(behind: bytes):
    """What stands behind a chunk's data must be CRLF."""
    with pytest.raises(ChunkedEncodingError):
        ask(chunked(b"5\r\nhello" + behind + b"0\r\n\r\n"))


@pytest.mark.parametrize(
    "chunks",
    [b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n",
     b"5\r\nhello\r\n0\r\n\n", b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX: a\n\r\n"],
)  # fmt: skip
def test_row_25_bare_lf_in_the_chunked_coding(chunks: bytes):
    """A bare LF ends no line of the chunked coding: tolerance here is how smuggling works."""
    with pytest.raises(ChunkedEncodingError):
        ask(chunked(chunks))


def test_row_26_the_last_crlf_missing():
    """Without the empty line behind the last chunk the content is not complete."""
    with pytest.raises(IncompleteContent):
        ask(chunked(b"5\r\nhello\r\n0\r\n"), end=Peer.half_close)


def test_row_27_trailers_are_kept_apart():
    """Trailer fields are in `trailers`, never among the headers; dangerous ones are dropped."""
    trailers = (
        b"X-Checksum: 1\r\nContent-Length: 4\r\nTransfer-Encoding: gzip\r\nSet-Cookie: a=b\r\n"
        b"Authorization: x\r\nHost: y\r\nX-Checksum: 2\r\n"
    )
    got = ask(chunked(b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n", b"X-Head: 1"))

    assert b"hello" == got.content
    assert ["Transfer-Encoding", "X-Head"] == list(got.headers)
    assert ["X-Checksum"] == list(got.response.trailers)
    assert "1, 2" == got.response.trailers["x-checksum"]
    assert {} == dict(got.response.cookies)


@pytest.mark.parametrize(
    "script",
    [
        flood(chunked(b"5\r\nhello\r\n0\r\n"), b"X: a\r\n" * 1000),
        flood(chunked(b"5\r\nhello\r\n0\r\nX: "), b"a" * 65536),
        flood(chunked(b"5;"), b"a" * 65536, 1024),
        flood(chunked(b""), (b"1;" + b"a" * 2000 + b"\r\nx\r\n") * 50),
    ],
    ids=[
        "trailer fields",
        "a trailer line",
        "an extension of 64 MiB",
        "an extension for each byte",
    ],
)
def test_row_28_trailers_and_extensions_without_end(script: Any):
    """What a chunked response adds to its data is bounded."""
    with pytest.raises(FieldSectionTooLarge):
        ask(script)


def test_row_29_200_000_chunks_of_one_byte():
    """Tiny chunks cost time in proportion to their number."""
    got = ask(chunked(b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n"), timeout=5)

    assert b"x" * 200_000 == got.content


@ENDS
@pytest.mark.parametrize(
    "value",
    [b"gzip, chunked", b"chunked, chunked", b"xchunked", b"chunkedx", b"\x0bchunked",
     b"chunked\x0b", b"gzip", b"identity", b"chunked;q=1", b"chunked,", b'"chunked"', b"",
     b"chunked, identity", b"chunked\r\nTransfer-Encoding: chunked",
     b"gzip\r\nTransfer-Encoding: chunked"],
)  # fmt: skip
def test_row_30_other_transfer_codings_are_refused(value: bytes, end: Any):
    """Chunked, once and alone, is the only transfer coding asked for: the rest is an error."""
    with pytest.raises(RemoteProtocolError):
        ask(HEAD + b"Transfer-Encoding: " + value + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n", end=end)


@pytest.mark.parametrize("behind", [b"", b"\n", b"\r\n", b"x"])
def test_row_30_raw_gzip_never_is_the_content(behind: bytes):
    """Bytes behind the last chunk do not make an unknown transfer coding acceptable."""
    coded = b"5\r\nhello\r\n0\r\n\r\n" + behind
    with pytest.raises(RemoteProtocolError):
        ask(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + coded)


def test_row_30_transfer_encoding_is_unknown_to_http_1_0():
    """An HTTP/1.0 response with Transfer-Encoding is faulty framing (RFC 9112, 6.1)."""
    with pytest.raises(RemoteProtocolError):
        ask(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


# Lines ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\nContent-Length: 5\n\n", HEAD + b"A: b\nContent-Length: 5\r\n\r\n",
     HEAD + b"Content-Length: 5\r\n\n", HEAD + b"Content-Length: 5\n\r\n",
     b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n"],
)  # fmt: skip
def test_row_31_bare_lf_ends_no_line_of_a_head(head: bytes):
    """One policy: lines end with CRLF."""
    with pytest.raises(RemoteProtocolError):
        ask(head + b"hello")


@pytest.mark.parametrize(
    ("line", "value"),
    [(b"X: a\r\n b", "a b"), (b"X: a\r\n\tb\r\n  c", "a b c"), (b"X: a\rb", "a b"),
     (b"X: a\rContent-Length: 3", "a Content-Length: 3")],
)  # fmt: skip
def test_row_32_folding_and_bare_cr_become_a_space(line: bytes, value: str):
    """A folded field is one field with a space; the connection is not used again."""
    got = ask(HEAD + line + b"\r\nContent-Length: 5\r\n\r\nhello")

    assert value == got.headers["x"]
    assert b"hello" == got.content
    assert 2 == got.server.accepted


@pytest.mark.parametrize(
    "lines",
    [b"Content-Length:\r\n 5\r\n", b"Content-Length: 5\r\n 5\r\n", b"Content-Length: 5\r\n\t\r\n",
     b"Transfer-Encoding:\r\n chunked\r\n", b"Transfer-Encoding: chunked\r\n ,x\r\n",
     b" X: a\r\nContent-Length: 5\r\n", b"Content-Length: \r5\r\n"],
)  # fmt: skip
def test_row_32_folding_where_it_matters_is_refused(lines: bytes):
    """Framing fields and the first line are never mended."""
    with pytest.raises(RemoteProtocolError):
        ask(HEAD + lines + b"\r\n5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("code", [0, 1, 7, 8, 11, 12, 14, 27, 31, 127])
def test_row_33_control_characters_are_refused(code: int):
    """NUL and its kin, in a name or in a value, never reach the application."""
    char = bytes([code])
    for line in (b"X: a" + char + b"b", b"X" + char + b"Y: a", b"X: a" + char, b"X:" + char):
        with pytest.raises(RemoteProtocolError):
            ask(HEAD + line + b"\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked", b"Content-Length: 0", b"A: b"])
@pytest.mark.parametrize(
    ("line", "problem"),
    [(b"X: \0", "holds a control character"), (b"X : y", "has a name that is not a token"),
     (b"X", "has no colon")],
)  # fmt: skip
def test_what_is_wrong_is_said_of_the_line_that_is(framing: bytes, line: bytes, problem: str):
    """Whatever else the head holds, with the number of the line."""
    for number, lines in enumerate(((line, framing), (framing, line), (framing, b"A: b", line)), 1):
        with pytest.raises(
            RemoteProtocolError, match=f"field line {number} .* {problem}$"
        ) as caught:
            ask(HEAD + b"\r\n".join(lines) + b"\r\n\r\n0\r\n\r\n")

        assert not isinstance(caught.value, UncertainFraming)


@pytest.mark.parametrize(
    "lines",
    [b"A: b\r\nContent-Length: +2", b"A: b\r\nContent-Length: 2\r\nContent-Length: 3",
     b"A: b\r\nTransfer-Encoding: chunked\r\n ,x"],
)  # fmt: skip
def test_where_the_framing_is_uncertain(lines: bytes):
    """If nothing else is wrong, that is what is said, also of one that is folded."""
    with pytest.raises(UncertainFraming, match="field line 2 .* makes the end .* uncertain$"):
        ask(HEAD + lines + b"\r\n\r\nab")


def test_row_33_control_characters_in_a_reason_phrase_become_spaces():
    """A reason phrase shows no control character."""
    got = ask(b"HTTP/1.1 200 O\x00\x1bK\r\nContent-Length: 5\r\n\r\nhello")

    assert "O  K" == got.response.reason


@pytest.mark.parametrize(
    "line",
    [b"nothing", b": a", b":", b"X : a", b"X\t: a", b"X Y: a", b"(X): a", b"\x80: a", b"X;: a",
     b"Content-Length : 5", b"Transfer-Encoding\t: chunked", b"Content-Length\x00: 5"],
)  # fmt: skip
def test_row_34_lines_that_are_no_fields_are_refused(line: bytes):
    """No colon, no name, or white space before the colon: an error."""
    with pytest.raises(RemoteProtocolError):
        ask(HEAD + line + b"\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize(
    "script",
    [
        flood(HEAD + b"X: ", b"a" * 65536, 1024),
        flood(HEAD + b"X", b"a" * 65536, 1024),
        flood(HEAD, b"X: a\r\n" * 1000, 100),
        flood(HEAD, b"X: a\r\n" * 1000),
        flood(b"HTTP/1.1 200 ", b"a" * 65536, 1024),
        b"HTTP/1.1 200 " + b"a" * 262_144 + b"\r\n\r\n",
        HEAD + b"X: a\r\n" * 1001 + b"Content-Length: 0\r\n\r\n",
    ],
    ids=["a line of 64 MiB", "a name of 64 MiB", "100 000 fields", "fields without end",
         "a reason of 64 MiB", "a reason over the limit", "1 002 fields at once"],
)  # fmt: skip
def test_row_35_heads_without_end(script: Any):
    """A head has limits, in bytes and in fields, and they are held."""
    with pytest.raises(FieldSectionTooLarge):
        ask(script)


@pytest.mark.only_in("blocking")  # in a process of its own
def test_row_35_memory_for_a_head_is_bounded():
    """Whatever comes, not much more than the limit is kept of it."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        flood(HEAD + b"X: ", b"a" * 65536, 1024)(peer)

    with serve(script) as server:
        error, grown = memory_of(server.url)

    assert "FieldSectionTooLarge" == error
    assert grown < 20


@pytest.mark.parametrize("value", ["grüße €".encode(), "grüße".encode("latin-1"), b"\x80\xff"])
def test_row_36_bytes_above_ascii_in_a_value(value: bytes):
    """A value with such bytes can be had back as it came."""
    got = ask(plain(b"hello", b"X: " + value))

    assert value == got.headers["x"].encode("latin-1")
    assert [(b"X", value)] == [line for line in got.response.fields.lines if line[0] == b"X"]


# Status lines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"HTTP/1.1 200", b"HTTP/1.1 200 "])
def test_row_37_no_reason_phrase(line: bytes):
    """The reason phrase may be missing, with its space or without."""
    got = ask(line + b"\r\nContent-Length: 5\r\n\r\nhello")

    assert (200, b"hello", 1) == (got.status, got.content, got.server.accepted)


@ENDS
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "line",
    ["HTTP/1.1 99 x", "HTTP/1.1 099 x", "HTTP/1.1 000 x", "HTTP/1.1 1000 x", "HTTP/1.1 abc x",
     "HTTP/1.1 -200 x", "HTTP/1.1 +200 x", "HTTP/1.1 2_0 x", "HTTP/1.1 20", "HTTP/1.1 200OK",
     "HTTP/1.1 ²00 x", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1", "HTTP /1.1 200 OK",
     "http/1.1 200 OK", "HTTP/11 200 OK", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "HTTP/2.0 200 OK",
     "HTTP/2 200 OK", "HTTP/3.0 200 OK", "FOO/1.1 200 OK", "ICY 200 OK", "RTSP/1.0 200 OK",
     "garbage HTTP/1.1 200 OK", "<html>hello</html>", "\x16\x03\x01", "SSH-2.0-OpenSSH_9.6"],
)  # fmt: skip
def test_row_38_status_lines_that_are_none(line: str, method: str, end: Any):
    """Only HTTP/1.0 or HTTP/1.1, a space, and three digits from 100 on are a status line."""
    with pytest.raises(RemoteProtocolError, match="expected HTTP/1"):
        ask(line.encode() + b"\r\nContent-Length: 5\r\n\r\nhello", method=method, end=end)


@pytest.mark.parametrize("status", [100, 102, 103, 104, 199])
def test_row_39_interim_responses_are_passed_over(status: int):
    """The final response is returned; interim ones are there to be looked at."""
    interim = b"HTTP/1.1 %d Wait\r\nLink: a\r\n\r\n" % status
    got = ask(interim + b"HTTP/1.1 100\r\n\r\n" + plain())

    assert (200, b"hello", 1) == (got.status, got.content, got.server.accepted)
    assert [status, 100] == [code for code, _ in got.response.interim]
    assert "a" == got.response.interim[0][1]["link"]
    assert "link" not in got.headers


@pytest.mark.parametrize("count", [15, 16, 17])
def test_row_40_interim_responses_have_a_limit(count: int):
    """Sixteen interim responses are taken, one more is an error."""
    answer = b"HTTP/1.1 103 Early\r\n\r\n" * count + plain()
    if count > 16:
        with pytest.raises(FieldSectionTooLarge, match="interim"):
            ask(answer)
        return
    assert b"hello" == ask(answer).content


def test_row_40_endless_interim_responses():
    """They are ended by the limit, whether they come fast or fill the head's bytes first."""
    for piece in (
        b"HTTP/1.1 103 Early\r\n\r\n",
        b"HTTP/1.1 103 E\r\nX: " + b"a" * 30000 + b"\r\n\r\n",
    ):
        with pytest.raises(FieldSectionTooLarge):
            ask(flood(b"", piece))


@pytest.mark.parametrize("fields", [b"Upgrade: x\r\nConnection: upgrade\r\n", b""])
@pytest.mark.parametrize("behind", [b"", plain(), b"\x00\x01"])
def test_row_41_an_upgrade_nobody_asked_for(fields: bytes, behind: bytes):
    """101 without a request for it is an error."""
    with pytest.raises(RemoteProtocolError, match="101"):
        ask(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n" + behind)


# Bytes that belong to nobody ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"HEAD"])
def test_row_42_responses_without_content(status: bytes, field: bytes):
    """They are empty whatever their fields say; bytes behind them cost the connection."""
    method = "HEAD" if status == b"HEAD" else "GET"
    head = b"HTTP/1.1 " + status.replace(b"HEAD", b"200 OK") + b"\r\n" + field + b"\r\n"
    content = b"5\r\nhello\r\n0\r\n\r\n" if b"chunked" in field else b"hello"

    alone, followed = ask(head, method=method), ask(head + content, method=method)

    assert (b"", 1) == (alone.content, alone.server.accepted)
    assert (b"", 2) == (followed.content, followed.server.accepted)


@pytest.mark.parametrize(
    "first", [plain(), chunked(b"5\r\nhello\r\n0\r\n\r\n")], ids=["length", "chunked"]
)
@pytest.mark.parametrize(
    "behind",
    [
        plain(b"evil!"),
        plain(b"evil!") * 2,
        b"garbage",
        b"\x00",
        b"\n",
        b"\r\n",
        b"HTTP/1.1 408 Timeout\r\n\r\n",
    ],
)
def test_row_43_bytes_behind_the_response(first: bytes, behind: bytes):
    """The first response is right, and what stands behind it reaches no other request."""
    got = ask(first + behind)

    assert (b"hello", 2) == (got.content, got.server.accepted)


@pytest.mark.parametrize("late", [response(b"evil"), response(b"", "408 Request Timeout"), b"x"])
def test_row_43_bytes_on_the_idle_connection(late: bytes):
    """What a server says unasked on an idle connection is never an answer."""

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.receive_request()
            peer.send(response(head.split(b" ")[1]))
            if peer.index == 0:
                peer.wait("idle")
                peer.send(late)
                peer.open("sent")

    with serve(script) as server, session_for() as session:
        assert b"/one" == session.get(server.url + "/one").content
        server.gates["idle"].set()
        server.gates["sent"].wait()
        assert b"/two" == session.get(server.url + "/two").content
        assert b"/three" == session.post(server.url + "/three", data=b"x").content

        assert 2 == server.accepted


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n",
     b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\nConnection: x\r\n",
     b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n"],
)  # fmt: skip
def test_row_44_connections_that_are_not_persistent(head: bytes):
    """They are not used again, even if the server leaves them open."""
    got = ask(head + b"Content-Length: 5\r\n\r\nhello")

    assert (b"hello", 2) == (got.content, got.server.accepted)


def test_row_44_http_1_0_with_keep_alive():
    """HTTP/1.0 may say that its connection persists."""
    got = ask(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello")

    assert (b"hello", 1) == (got.content, got.server.accepted)


def test_row_45_a_server_that_speaks_first():
    """What was sent before the request is not its answer beyond that one exchange."""

    def script(peer: Peer) -> None:
        if peer.index == 0:
            peer.send(b"220 ready\r\n")
        while True:
            peer.receive_request()
            peer.send(NEXT)

    with serve(script) as server, session_for() as session:
        with pytest.raises(RemoteProtocolError):
            session.get(server.url).content  # noqa: B018
        assert b"next" == session.get(server.url).content


def test_row_46_one_blank_line_before_the_status_line():
    """One empty line is tolerated (RFC 9112, 2.2), a second is not."""
    assert b"hello" == ask(b"\r\n" + plain()).content
    for blank in (b"\r\n\r\n", b"\n", b"\r\n" * 1000, b" \r\n"):
        with pytest.raises(RemoteProtocolError):
            ask(blank + plain())


@pytest.mark.parametrize(
    "answer",
    [plain(), chunked(b"5\r\nhello\r\n0\r\n\r\n"), b"HTTP/1.1 103 Early\r\n\r\n" + plain()],
    ids=["length", "chunked", "interim"],
)
def test_row_47_every_split_of_a_response(answer: bytes):
    """However the bytes are cut by the network, the response is the same."""
    splits = iter(list(split_every_way(answer)))

    def script(peer: Peer) -> None:
        for pieces in splits:
            peer.receive_request()
            for piece in pieces:
                peer.send(piece)

    with serve(script) as server, session_for() as session:
        for _ in split_every_way(answer):
            got = session.get(server.url)
            assert (200, b"hello") == (got.status_code, got.content)

        assert 1 == server.accepted
