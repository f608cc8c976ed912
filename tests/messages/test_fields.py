"""Field sections: what was received, to the byte, and what is sent, one line a field."""

import pickle
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gofer.exceptions import InvalidHeader
from gofer.messages.fields import FieldSection, Headers, given_fields

# --- What was received ------------------------------------------------------------------------------

SECTION = FieldSection(
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Empty:\r\nset-cookie:\tb=2 \r\nX-Bytes: \xff\r\n\r\ncontent"
)


def test_a_section_is_exact() -> None:
    """Names as they were spelled, values without the white space around them, content left out."""
    assert [
        (b"Set-Cookie", b"a=1"), (b"X-Empty", b""), (b"set-cookie", b"b=2"), (b"X-Bytes", b"\xff"),
    ] == SECTION.lines  # fmt: skip
    assert SECTION.block.endswith(b"X-Bytes: \xff\r\n")
    assert ["a=1", "b=2"] == SECTION.get_all("SET-COOKIE")
    assert [] == SECTION.get_all("X-Other")
    assert (True, False) == (SECTION.has(b"x-empty"), SECTION.has(b"empty"))


@pytest.mark.parametrize("name", ["Set-Cookie", "content-encoding", "ALT-SVC", "Alt-Svc"])
def test_a_section_that_makes_more_of_its_response(name: str) -> None:
    """It is found wherever it stands, however it is spelled and spaced; most have none of it."""
    plain = (
        b"HTTP/1.1 200 OK\r\nServer: a\r\nContent-Type: a/b\r\nContent-Length: 5\r\nAge: 1\r\n"
        b"content-language: en\r\nContent-Security-Policy: x\r\nAlt: x\r\nCONTENT-LOCATION: /\r\n"
        b"Content-Range: x\r\nContent-Disposition: x\r\nAlternates: x\r\nSet: x\r\n\r\n"
    )
    assert FieldSection(plain).is_plain
    for line in (name.encode() + b": h3\r\n", name.encode() + b":h3\r\n"):
        for start in (b"Server", b"Age", b"Set: x"):
            section = FieldSection(plain.replace(start, line + start))
            assert section.has(name.lower().encode())
            assert not section.is_plain
    lines = [(b"server", b"a"), (name.lower().encode(), b"x")]
    assert not FieldSection.of(lines, are_lower=True).is_plain
    assert FieldSection.of(lines[:1], are_lower=True).is_plain


def test_received_fields_as_a_mapping() -> None:
    """Lines of one name are one value; apart by `get_all`; octets are Latin-1."""
    headers = Headers.received(SECTION)

    assert "a=1, b=2" == headers["set-cookie"]
    assert ["a=1", "b=2"] == headers.get_all("Set-Cookie")
    assert ("", "ÿ") == (headers["x-empty"], headers["x-bytes"])
    assert ["Set-Cookie", "X-Empty", "X-Bytes"] == list(headers)
    headers["Set-Cookie"] = "c=3"
    assert ["c=3"] == headers.get_all("set-cookie")


# --- The mapping ------------------------------------------------------------------------------------


def test_names_are_one_whatever_their_case() -> None:
    """The last spelling is kept; bytes are names, too."""
    headers = Headers({"Accept": "1", b"ACCEPT": "2"})
    headers["accept"] = "3"

    assert [("accept", "3")] == list(headers.items())
    assert "ACCEPT" in headers
    assert b"Accept" in headers
    del headers["AcCePt"]
    assert 0 == len(headers)
    with pytest.raises(KeyError):
        headers["accept"]


def test_mappings_are_compared_without_case() -> None:
    """And with any mapping."""
    assert Headers({"A": "1"}) == {"a": "1"} == Headers([("a", "1")])
    assert Headers({"A": "1"}) != {"a": "2"}
    assert Headers({"A": "1"}) != ["A"]
    assert pickle.loads(pickle.dumps(Headers({"A": "1"}))) == Headers({"a": "1"})
    assert "{'A': '1'}" == repr(Headers({"A": "1"}))


def test_a_copy_is_edited_by_itself() -> None:
    """Also after the original has been encoded."""
    headers = Headers({"A": "1"})
    headers.encode()
    copied = headers.copy()
    copied["B"] = "2"

    assert (b"A: 1\r\n", b"A: 1\r\nB: 2\r\n") == (headers.encode().data, copied.encode().data)


# --- What is sent -----------------------------------------------------------------------------------


def test_none_is_left_out() -> None:
    """Nobody else puts it in."""
    assert b"B: 2\r\n" == Headers({"A": None, "B": "2"}).encode().data


@pytest.mark.parametrize(
    ("headers", "has_host", "has_expect", "is_framed", "says_close"),
    [
        ({}, False, False, False, False),
        ({"host": "a"}, True, False, False, False),
        ({"Host": None, "Expect": None, "Content-Length": None, "Connection": None},
         False, False, False, False),
        ({"EXPECT": "100-continue"}, False, True, False, False),
        ({"content-length": "1"}, False, False, True, False),
        ({"Transfer-Encoding": "chunked"}, False, False, True, False),
        ({"Connection": "Close"}, False, False, False, True),
        ({"Connection": "keep-alive"}, False, False, False, False),
    ],
)  # fmt: skip
def test_what_concerns_the_connection(
    headers: Any, has_host: bool, has_expect: bool, is_framed: bool, says_close: bool
) -> None:
    encoded = Headers(headers).encode()

    assert (has_host, has_expect, is_framed, says_close) == (
        encoded.has_host, encoded.has_expect, encoded.is_framed, encoded.says_close,
    )  # fmt: skip


LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n")
TEXTS = st.text(max_size=12) | st.binary(max_size=12) | st.sampled_from(
    ["a\r\nX: 1", "a\n", "\r", "a\0", " a", "\ta", "a\t", "a ", "", "ä", "☃", "\ud800", "\x7f", "a:b"]
)  # fmt: skip


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
@example([("A", "1\r\nB: 2")])
@example([("A", "1"), ("B\r\nC", "2")])
@example([("A: 1\r\nB", "2")])
def test_any_names_and_values(pairs: list[tuple[Any, Any]]) -> None:
    """Either it is one line for each field, or it is refused."""
    headers = Headers(pairs)
    try:
        data = headers.encode().data
    except InvalidHeader:
        return

    lines = data.split(b"\r\n")
    assert lines.pop() == b""
    assert len(headers) == len(lines)
    for line in lines:
        assert LINE.fullmatch(line + b"\r\n")


@pytest.mark.parametrize(
    "headers", ["A: 1", b"A: 1", ["A: 1"], ["ab"], 5, [("a",)], [("a", "b", "c")], object()]
)
def test_what_holds_no_fields(headers: Any) -> None:
    """A TypeError that says what was expected."""
    for take in (Headers, given_fields):
        with pytest.raises(TypeError, match="headers: got .*expected a dict"):
            take(headers)


def test_what_is_given_to_be_sent() -> None:
    """Pairs or a mapping, names as text; framing and Host once."""
    assert [] == given_fields(None) == given_fields({}) == given_fields([])
    assert [("A", "1"), ("a", b"2")] == given_fields([(b"A", "1"), ("a", b"2")])
    for name in ("Host", "Content-Length", "Transfer-Encoding"):
        with pytest.raises(InvalidHeader, match="twice"):
            given_fields([(name, "1"), (name.lower(), "1")])
