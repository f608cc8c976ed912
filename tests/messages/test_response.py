"""Responses: the head as it came, and every way to the content."""

import gzip
import io
import json
import pickle
import shutil
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.exceptions import (
    ContentDecodingError,
    HTTPError,
    IncompleteContent,
    JSONDecodeError,
    RequestException,
    StreamConsumedError,
    TruncatedContent,
)
from gofer.messages.fields import FieldSection
from gofer.messages.response import Response


class Pieces:
    """A source that hands out `pieces`, raises `error` if there is one, and ends."""

    def __init__(
        self, pieces: Iterable[bytes], *, has_length: bool = False, error: Exception | None = None
    ) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.has_length = has_length
        self.error = error
        self.is_aborted = False

    def run(self, coroutine: Any) -> Any:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("suspended")

    async def receive(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        if self.error is not None:
            raise self.error
        return b""

    async def receive_all(self) -> bytes:
        content = b"".join(self.pieces)
        self.pieces.clear()
        if self.error is not None:
            raise self.error
        return content

    async def drain(self, max_bytes: int, seconds: float) -> bytes | None:
        content = await self.receive_all()
        return content if len(content) <= max_bytes else None

    def abort(self) -> None:
        self.is_aborted = True


def response(
    *pieces: bytes, status: int = 200, has_length: bool = False, error: Exception | None = None,
    **fields: str,
) -> Response:  # fmt: skip
    """A response whose content is still to come in `pieces`."""
    answer = response_to_head(status, **fields)
    answer._source = Pieces(pieces, has_length=has_length, error=error)
    return answer


def received(content: bytes, **fields: str) -> Response:
    """A response whose content came with the head."""
    answer = response_to_head(200, **fields)
    answer._received = content
    return answer


def response_to_head(status: int, reason: str = "Fine", **fields: str) -> Response:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    answer = Response()
    answer.status_code = status
    answer.url = "http://example.com/"
    answer.fields = FieldSection(
        "\r\n".join([f"HTTP/1.1 {status} {reason}", *lines, "", ""]).encode("latin-1")
    )
    return answer


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


# The head -----------------------------------------------------------------------------------------


def test_the_head_as_it_came() -> None:
    """Headers ignore case, reason is the phrase that came, repr shows the status code."""
    answer = response_to_head(404, "Nobody Home", X_Test="1", Set_Cookie="a=1")

    assert ("1", "Nobody Home", "<Response [404]>") == (
        answer.headers["x-TEST"], answer.reason, repr(answer),
    )  # fmt: skip


@pytest.mark.parametrize(("status", "expected"), [(404, "Not Found"), (299, None)])
def test_a_missing_reason_is_the_usual_one(status: int, expected: str | None) -> None:
    """HTTP/2 has none, and HTTP/1.1 may leave it out."""
    assert response_to_head(status, "").reason in (expected, "", None)


@pytest.mark.parametrize(
    ("status", "location", "redirect", "permanent"),
    [
        (301, "/x", True, True), (302, "/x", True, False), (303, "/x", True, False),
        (307, "/x", True, False), (308, "/x", True, True), (304, "/x", False, False),
        (300, "/x", False, False), (302, None, False, False), (200, "/x", False, False),
    ],
)  # fmt: skip
def test_is_redirect(status: int, location: str | None, redirect: bool, permanent: bool) -> None:
    """A status code that means it, and a Location."""
    answer = response_to_head(status, **({"Location": location} if location else {}))

    assert (redirect, permanent) == (answer.is_redirect, answer.is_permanent_redirect)


def test_links() -> None:
    """The Link field by relation, or by URL where there is none."""
    value = '<http://a/2>; rel="next"; title="Two", </9>; rel=last, </none>'
    links = response_to_head(200, Link=value).links

    assert {"next", "last", "/none"} == set(links)
    assert {"url": "http://a/2", "rel": "next", "title": "Two"} == links["next"]
    assert {} == response_to_head(200).links


@pytest.mark.parametrize(
    ("status", "side"), [(400, "Client"), (499, "Client"), (500, "Server"), (599, "Server")]
)
def test_raise_for_status(status: int, side: str) -> None:
    """Errors say the status code, whose they are, the reason phrase and the URL."""
    answer = response_to_head(status, "Bad Day")
    with pytest.raises(HTTPError) as caught:
        answer.raise_for_status()

    assert f"{status} {side} Error: Bad Day for url: http://example.com/" == str(caught.value)
    assert caught.value.response is answer
    assert not answer


@pytest.mark.parametrize("status", [101, 200, 302, 399])
def test_raise_for_status_is_silent_otherwise(status: int) -> None:
    """Below 400 nothing is wrong."""
    answer = response_to_head(status)
    answer.raise_for_status()

    assert answer.ok


@pytest.mark.parametrize(
    ("reason", "expected"), [("é".encode(), "é"), ("é".encode("latin-1"), "é"), (None, "None")]
)
def test_reasons_of_other_types(reason: Any, expected: str) -> None:
    """A reason somebody set as bytes is decoded."""
    answer = response_to_head(404)
    answer.reason = reason
    with pytest.raises(HTTPError, match=f"Error: {expected} for"):
        answer.raise_for_status()


def test_a_failed_request_raises_its_own_error() -> None:
    """Under safe_mode the error is on the response."""
    answer = Response()
    answer.status_code = 0
    answer.error = RequestException("no way")
    with pytest.raises(RequestException, match="no way"):
        answer.raise_for_status()

    assert not answer.ok


def test_values_can_be_set() -> None:
    """Tests and adapters of users make responses themselves."""
    answer = Response()
    answer.headers = {"content-type": "text/plain; charset=utf-16"}
    answer.history = [answer]
    answer.elapsed = timedelta(seconds=3)
    answer.encoding = "utf-8"
    answer._content = "é".encode()

    assert ("é", timedelta(seconds=3), [answer]) == (answer.text, answer.elapsed, answer.history)
    assert [] == Response().history
    assert timedelta(0) == Response().elapsed


# text and encoding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", "utf-8"), ('text/html; charset="UTF-8"', "UTF-8"),
        ("text/plain", "ISO-8859-1"), ("application/json", "utf-8"), ("image/png", None),
        ("application/x; charset=koi8-r", "koi8-r"),
    ],
)  # fmt: skip
def test_encoding(content_type: str, expected: str | None) -> None:
    """The charset parameter, or what the media type implies, as in Requests."""
    assert expected == response(Content_Type=content_type).encoding
    assert response().encoding is None


@pytest.mark.parametrize(
    ("charset", "content", "expected"),
    [
        ("utf-8", "é世".encode(), "é世"),
        ("utf-8", b"a\xffb", "a\ufffdb"),
        ("koi8-r", "имя".encode("koi8-r"), "имя"),
        ("no-such-codec", "é".encode(), "é"),
        ("utf8\x00", "é".encode(), "é"),
        ("zlib", b"text", "text"),
        ("hex", b"text", "text"),
        ("idna", b"text", "text"),
        ("undefined", b"text", "text"),
        ("punycode", b"text\xff", "text\ufffd"),
        ("punycode", b"te-xt", "te-xt"),
        ("unicode_escape", rb"\d\x41", r"\d\x41"),
        ("raw_unicode_escape", rb"\u0041", r"\u0041"),
        ("utf-16", "日本".encode("utf-16"), "日本"),
        ("utf-16", "日本".encode("utf-16-le") + b"!", "日本\ufffd"),
        ("utf-32", "日本".encode("utf-32-le"), "日本"),
        ("utf-16", b"!", "\ufffd"),
        ("x-sjis", "日本".encode("cp932"), "日本"),
        ("utf-8", b"", ""),
    ],
)
def test_text(charset: str, content: bytes, expected: str) -> None:
    """By the charset; what does not decode is replaced, an unknown charset does no harm."""
    answer = received(content, Content_Type="text/x")
    answer.encoding = charset
    in_pieces = response(*cut(content, 1), Content_Type="text/x")
    in_pieces.encoding = charset

    assert expected == answer.text
    assert expected == "".join(in_pieces.iter_content(1, decode_unicode=True))


def test_text_without_a_charset_is_guessed() -> None:
    """From the content itself."""
    text = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich."
    answer = received(text.encode())

    assert text == answer.text
    assert "utf-8" == answer.apparent_encoding.lower()


# json ---------------------------------------------------------------------------------------------

VALUE = {"é世": [1, 2.5, None, True, "\u2028"]}


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_json_in_every_unicode_encoding(codec: str) -> None:
    """Which one it is can be told from the bytes (RFC 4627, 3)."""
    assert VALUE == received(json.dumps(VALUE, ensure_ascii=False).encode(codec)).json()


def test_json_in_a_declared_charset() -> None:
    """Bytes that are no Unicode are read by the charset."""
    answer = received('{"a": "é"}'.encode("latin-1"), Content_Type="x/y; charset=latin-1")
    set_by_user = received('{"a": "é"}'.encode("cp437"))
    set_by_user.encoding = "cp437"

    assert {"a": "é"} == answer.json() == set_by_user.json()


def test_json_takes_the_words_of_loads() -> None:
    """Keywords go to `json.loads`."""
    assert "1.5" == received(b"1.5").json(parse_float=str)
    assert [("a", 1)] == received(b'{"a": 1}').json(object_pairs_hook=list)


@pytest.mark.parametrize("content", [b" 1 ", b"\n{}\r\n", b"\t[1]", b'"x"', b"null", b"NaN"])
def test_json_like_the_library(content: bytes) -> None:
    """White space and the library's own extensions are as `json.loads` has them."""
    assert repr(json.loads(content)) == repr(received(content).json())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"1 2", b"\xff", b"<html>", b'{"a":1}x', b"[" * 200_000, b"1" * 5_000],
    ids=lambda content: repr(content[:8]),
)
def test_json_that_is_none(content: bytes) -> None:
    """One error: Requests', the library's, and a ValueError; it carries the response."""
    answer = received(content)
    with pytest.raises(JSONDecodeError) as caught:
        answer.json()

    assert isinstance(caught.value, json.JSONDecodeError | ValueError)
    assert isinstance(caught.value, RequestException)
    assert caught.value.response is answer
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
))  # fmt: skip
def test_json_round_trip(value: Any) -> None:
    """What `json.dumps` writes is read back."""
    assert value == received(json.dumps(value).encode()).json()


# content ------------------------------------------------------------------------------------------


def test_content_is_read_once() -> None:
    """And kept: the same object every time."""
    answer = response(b"one ", b"two")

    assert b"one two" == answer.content
    assert answer.content is answer.content


def test_content_that_fails_stays_failed() -> None:
    """The error carries request and response; half a content is never content."""
    answer = response(b"half", error=IncompleteContent("cut"))
    with pytest.raises(IncompleteContent) as caught:
        answer.content  # noqa: B018

    assert caught.value.response is answer
    with pytest.raises(RuntimeError):
        answer.content  # noqa: B018


@pytest.mark.parametrize("make", [received, response])
def test_content_is_decoded(make: Any) -> None:
    """By its content coding, whether it came with the head or later."""
    packed = gzip.compress(b"content" * 100)

    assert b"content" * 100 == make(packed, Content_Encoding="gzip").content
    assert packed == make(packed, Content_Encoding="unknown").content


READERS: dict[str, Callable[[Response], object]] = {
    "content": lambda answer: answer.content,
    "iteration": lambda answer: list(answer.iter_content(1)),
    "raw": lambda answer: answer.raw.read(decode_content=True),
}


@pytest.mark.parametrize("make", [received, response])
@pytest.mark.parametrize("how", READERS)
def test_a_coding_cut_short_is_an_error(make: Any, how: str) -> None:
    """However the content is read, and the error carries the response."""
    answer = make(gzip.compress(b"content")[:-3], Content_Encoding="gzip")
    with pytest.raises(TruncatedContent) as caught:
        READERS[how](answer)

    assert isinstance(caught.value, ContentDecodingError)
    assert caught.value.response is answer


def test_nothing_at_all_is_no_content() -> None:
    """A response nobody sent has None."""
    assert Response().content is None
    assert "" == Response().text
    assert [] == list(Response().iter_content(1))


# iter_content -------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 3


@pytest.mark.parametrize("size", [1, 7, 255, 256, 257, 767, 768, 769, 10_000])
@pytest.mark.parametrize("piece", [1, 64, 768])
def test_pieces_of_a_known_length_are_exact(size: int, piece: int) -> None:
    """Each has the size asked for, but for the last."""
    pieces = list(response(*cut(CONTENT, piece), has_length=True).iter_content(size))

    assert cut(CONTENT, size) == pieces


@pytest.mark.parametrize("size", [1, 7, 768, 10_000])
def test_pieces_of_unknown_length_are_not_held_back(size: int) -> None:
    """They are handed on as they come, never more than asked for."""
    pieces = list(response(*cut(CONTENT, 100)).iter_content(size))

    assert CONTENT == b"".join(pieces)
    assert max(map(len, pieces)) <= size
    assert all(pieces)


@pytest.mark.parametrize("has_length", [True, False])
def test_pieces_as_they_come(has_length: bool) -> None:
    """With None nothing is cut and nothing joined."""
    assert [b"a", b"bc"] == list(response(b"a", b"bc", has_length=has_length).iter_content(None))
    assert [b"abc"] == list(received(b"abc").iter_content(None))
    assert [] == list(received(b"").iter_content(None))


@pytest.mark.parametrize("size", [1.0, "8", b"8"])
def test_a_size_is_an_int(size: Any) -> None:
    """Refused at the call, not at the first piece."""
    with pytest.raises(TypeError):
        response(b"a").iter_content(size)
    with pytest.raises(ValueError):
        response(b"a").iter_content(0)


@pytest.mark.parametrize("make", [received, response])
def test_content_is_handed_out_once(make: Any) -> None:
    """Unless it was read before; two iterators at once are one too many."""
    answer = make(b"content")
    first, second = answer.iter_content(1), answer.iter_content(1)
    assert b"c" == next(first)
    with pytest.raises(StreamConsumedError):
        next(second)
    with pytest.raises(StreamConsumedError):
        answer.iter_content(1)
    with pytest.raises(RuntimeError):
        answer.content  # noqa: B018

    assert b"ontent" == b"".join(first)


def test_decoded_pieces() -> None:
    """A content coding is taken off on the way, in bounded pieces."""
    packed = gzip.compress(bytes(1_000_000))
    pieces = list(response(*cut(packed, 10), Content_Encoding="gzip").iter_content(None))

    assert bytes(1_000_000) == b"".join(pieces)
    assert max(map(len, pieces)) <= 64 * 1024


@pytest.mark.parametrize("size", [1, 2, 3])
def test_text_pieces_never_cut_a_character(size: int) -> None:
    """With `decode_unicode` and a charset, pieces are text."""
    text = "aé世😀" * 5
    answer = response(*cut(text.encode(), 4), Content_Type="text/x; charset=utf-8")
    pieces = list(answer.iter_content(size, decode_unicode=True))

    assert text == "".join(pieces)
    assert isinstance(next(response(b"a").iter_content(1, decode_unicode=True)), bytes)


def test_iterating_over_a_response() -> None:
    """128 bytes at a time."""
    assert cut(CONTENT, 128) == list(response(CONTENT, has_length=True))


def test_an_error_on_the_way_carries_the_response() -> None:
    """The pieces before it are handed out; then it is raised, and the connection is gone."""
    answer = response(b"half", error=IncompleteContent("cut"))
    source = answer._source
    pieces = answer.iter_content(4)
    assert b"half" == next(pieces)
    with pytest.raises(IncompleteContent) as caught:
        next(pieces)

    assert caught.value.response is answer
    assert source.is_aborted  # type: ignore[union-attr]


def test_an_iterator_that_is_dropped_frees_the_connection() -> None:
    """Leaving a loop early lets go of what is still to come."""
    answer = response(b"one", b"two")
    source = answer._source
    for _ in answer.iter_content(1):
        break

    assert source.is_aborted  # type: ignore[union-attr]


# iter_lines ---------------------------------------------------------------------------------------


@given(
    st.text(alphabet="ab\r\n", max_size=12).map(str.encode), st.integers(1, 5), st.integers(1, 5)
)
def test_lines_do_not_depend_on_pieces(content: bytes, piece: int, size: int) -> None:
    """They are those of `splitlines`, wherever the content is cut."""
    answer = response(*cut(content, piece))

    assert content.splitlines() == list(answer.iter_lines(size))


@given(
    st.text(alphabet="aé世\r\n\x0b\x0c\x1c\x85\u2028", max_size=12),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_text_lines_do_not_depend_on_pieces(text: str, piece: int, size: int) -> None:
    """The same for text, with its own line ends."""
    answer = response(*cut(text.encode(), piece), Content_Type="text/x; charset=utf-8")

    assert text.splitlines() == list(answer.iter_lines(size, decode_unicode=True))


@given(
    st.text(alphabet="ab|", min_size=1, max_size=12).map(str.encode),
    st.sampled_from([b"|", b"||", b"ab"]),
    st.integers(1, 5),
)
def test_lines_by_a_delimiter(content: bytes, delimiter: bytes, piece: int) -> None:
    """They are those of `split`, even if the delimiter is cut."""
    answer = response(*cut(content, piece))

    assert content.split(delimiter) == list(answer.iter_lines(3, delimiter=delimiter))


def test_lines_of_kept_content() -> None:
    """The cached content is walked over as often as wanted."""
    answer = received(b"one\r\ntwo\r\n\r\nlast")
    answer.content  # noqa: B018

    assert [b"one", b"two", b"", b"last"] == list(answer.iter_lines()) == list(answer.iter_lines(1))


def test_a_line_is_handed_on_when_it_is_there() -> None:
    """A stream of events is not held back by what comes next."""
    lines = response(b"one\ntw", b"o\n", error=IncompleteContent("cut")).iter_lines()

    assert [b"one", b"two"] == [next(lines), next(lines)]
    with pytest.raises(IncompleteContent):
        next(lines)


def test_a_very_long_line_is_not_scanned_again_and_again() -> None:
    """A megabyte without a line end, in small pieces, is a matter of a moment."""
    content = b"x" * 4_000_000
    for delimiter in (None, b"||"):
        answer = response(*cut(content, 100))

        assert [content] == list(answer.iter_lines(100, delimiter=delimiter))


# raw ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [received, response])
def test_raw_is_a_file(make: Any) -> None:
    """It reads, in whole or in parts, tells where it is, and ends with b""."""
    raw = make(b"one\ntwo\nthree").raw

    assert (True, False, False) == (raw.readable(), raw.writable(), raw.seekable())
    assert (b"on", b"e\n", b"two\n", 8) == (
        raw.read(2), raw.readline(), raw.readline(), raw.tell(),
    )  # fmt: skip
    assert not raw.closed
    buffer = bytearray(3)
    assert 3 == raw.readinto(buffer)
    assert (b"thr", b"ee", b"", b"") == (bytes(buffer), raw.read(), raw.read(), raw.read(1))
    assert raw.closed


def test_raw_lines_and_copies() -> None:
    """Iteration gives lines; the standard library copies from it and wraps it."""
    copied = io.BytesIO()
    shutil.copyfileobj(response(b"one\ntw", b"o\n").raw, copied)

    assert b"one\ntwo\n" == copied.getvalue()
    assert [b"one\n", b"two\n", b"3"] == list(response(b"one\ntw", b"o\n3").raw)
    assert b"twothree" == b"".join(response(b"two", b"three").raw.stream(2))
    assert gzip.GzipFile(fileobj=response(gzip.compress(b"content")).raw).read() == b"content"


def test_raw_is_as_it_came_unless_asked_otherwise() -> None:
    """`decode_content` takes the content coding off, by argument or as an attribute."""
    packed = gzip.compress(b"content")
    for make in (received, response):
        assert packed == make(packed, Content_Encoding="gzip").raw.read()
        assert b"content" == make(packed, Content_Encoding="gzip").raw.read(decode_content=True)
        raw = make(packed, Content_Encoding="gzip").raw
        raw.decode_content = True
        assert b"content" == raw.read()
        assert [b"content"] == list(
            make(packed, Content_Encoding="gzip").raw.stream(100, decode_content=True)
        )


def test_raw_says_what_third_parties_ask() -> None:
    """status, reason, version, headers, and the message of `_original_response`."""
    raw = response(b"", status=201, X_Test="1").raw

    assert (201, "Fine", 11, "1") == (raw.status, raw.reason, raw.version, raw.headers["x-test"])
    assert "1" == raw.getheader("X-Test")
    assert "1" == raw._original_response.msg["X-Test"]


@pytest.mark.parametrize("method", ["close", "release_conn"])
def test_raw_lets_go_of_the_connection(method: str) -> None:
    """By either name; content that has not been read is lost."""
    answer = response(b"content")
    source = answer._source
    getattr(answer.raw, method)()

    assert source.is_aborted  # type: ignore[union-attr]
    assert b"" == answer.raw.read()


def test_raw_takes_the_content() -> None:
    """What was read from `raw` is not `content` any more."""
    for make in (received, response):
        answer = make(b"content")
        assert b"con" == answer.raw.read(3)
        with pytest.raises(RuntimeError):
            answer.content  # noqa: B018


@pytest.mark.parametrize("piece", [1, 4, 100])
def test_raw_of_somebody_else(piece: int) -> None:
    """Any file-like object will do as `raw`: for tests and adapters of users."""
    answer = Response()
    answer.status_code = 200
    answer.raw = io.BytesIO(b"some content")

    assert cut(b"some content", piece) == list(answer.iter_content(piece))
    other = Response()
    other.status_code = 200
    other.raw = io.BytesIO(b"some content")
    assert b"some content" == other.content


# Its life -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "with"])
def test_letting_go(how: str) -> None:
    """Closing and leaving `with` free the connection. Dropping does, too: by the source itself."""
    answer = response(b"content")
    source = answer._source
    if how == "close":
        answer.close()
        answer.close()
    elif how == "with":
        with answer as bound:
            assert bound is answer
    del answer

    assert source.is_aborted  # type: ignore[union-attr]


def test_closed_content_is_no_content() -> None:
    """What was not read before closing cannot be read afterwards; what was read stays."""
    answer, read = response(b"content"), response(b"content")
    assert read.content
    for one in (answer, read):
        one.close()
    with pytest.raises(RuntimeError):
        answer.content  # noqa: B018

    assert b"content" == read.content


def test_discarding_keeps_what_is_little() -> None:
    """A hop's content can still be looked at; what is too much is closed."""
    small, large = response(b"small"), response(b"x" * 100)
    source = large._source
    for one in (small, large):
        with pytest.raises(StopIteration):
            one.discard(10).send(None)

    assert b"small" == small.content
    assert source.is_aborted  # type: ignore[union-attr]


def test_discarding_the_rest_does_not_make_it_the_content() -> None:
    """Of a hop that a hook has begun to read, nothing passes for all of it."""
    answer = response(b"one", b"two")
    pieces = answer.iter_content(3)
    begun = next(pieces)
    with pytest.raises(StopIteration):
        answer.discard(10).send(None)

    assert b"one" == begun
    with pytest.raises(RuntimeError, match="consumed"):
        answer.content  # noqa: B018


@pytest.mark.parametrize("make", [received, response])
def test_pickling(make: Any) -> None:
    """Content is read first; head, history and content come back, the connection does not."""
    answer = make(b"content", Content_Type="text/x; charset=utf-8", X_Test="1")
    answer.history = [received(b"hop")]
    answer.elapsed = timedelta(seconds=2)
    copied = pickle.loads(pickle.dumps(answer))

    assert (200, "http://example.com/", "Fine", "utf-8", b"content", "content") == (
        copied.status_code, copied.url, copied.reason, copied.encoding, copied.content,
        copied.text,
    )  # fmt: skip
    assert ("1", timedelta(seconds=2), None) == (
        copied.headers["x-test"], copied.elapsed, copied.raw,
    )  # fmt: skip
    assert b"hop" == copied.history[0].content
    assert b"content" == b"".join(copied.iter_content(3))
