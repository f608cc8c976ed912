"""Media types, charsets and links."""

import codecs
import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.messages.fields import FieldSection, Headers
from gofer.messages.media import (
    SAMPLE,
    charset_of,
    encoding_from_headers,
    encoding_of,
    extract_media_type,
    guess_encoding,
    guess_json_encoding,
    parse_link_header,
    parse_media_type,
    python_codec,
)

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def serialized(media_type: str, parameters: dict[str, str]) -> str | None:
    """As WHATWG MIME Sniffing writes a media type."""
    text = media_type
    for name, value in parameters.items():
        if not TOKEN.fullmatch(value):
            value = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
        text += f";{name}={value}"
    return text or None


# Media types --------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["mime-types.json", "generated-mime-types.json"])
def test_media_type_vectors(vectors: Path, file: str):
    """The web platform's media types are parsed as every browser does."""
    for case in json.loads((vectors / "mime-charset" / file).read_text("utf-8")):
        if isinstance(case, dict):
            assert case["output"] == serialized(*parse_media_type(case["input"])), case["input"]


def test_several_fields_vectors(vectors: Path):
    """Several Content-Type fields mean what they mean to fetch(), given apart or joined."""
    for case in json.loads((vectors / "mime-charset" / "content-types.json").read_text("utf-8")):
        values = case["contentType"]

        assert case["mimeType"] == serialized(*extract_media_type(values)), values
        assert case["mimeType"] == serialized(*extract_media_type([", ".join(values)])), values


def test_parameters_can_be_changed_by_who_asked():
    """The cache hands out copies."""
    parse_media_type("a/b;c=d")[1]["c"] = "changed"

    assert ("a/b", {"c": "d"}) == parse_media_type("a/b;c=d")


@given(st.text() | st.text('/;=",\\ \tab*'))
def test_any_text_is_parsed(value: str):
    """Nothing raises; names are in lower case, the type has one slash or is empty."""
    for media_type, parameters in (parse_media_type(value), extract_media_type([value])):
        assert media_type.count("/") == bool(media_type)
        assert media_type == media_type.lower()
        assert all(TOKEN.fullmatch(name) for name in parameters)
    charset_of(value)
    encoding_of(value)
    parse_link_header(value)


@pytest.mark.parametrize(
    "unit", [";", '"', ",", "\\", ' "', ";a=", ';a="\\', "<", "<,", " ", "\t;"]
)
def test_long_values_take_linear_time(unit: str):
    """A megabyte of anything is parsed at once: nothing goes back over what it has read."""
    value = "a/b;" + unit * (1_000_000 // len(unit))

    parse_media_type(value)
    extract_media_type([value])
    parse_link_header(value)
    parse_link_header("<" + value)
    parse_link_header("<a>" + unit * 50_000)


# Encodings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", "utf-8"),
        ("text/html; charset=UTF8", "UTF8"),
        ("text/html; charset='koi8-r'", "koi8-r"),
        ('text/html; charset="koi8-r"; a=b', "koi8-r"),
        ("text/html; charset=", "ISO-8859-1"),
        ("text/html", "ISO-8859-1"),
        ("TEXT/Plain", "ISO-8859-1"),
        ("text", "ISO-8859-1"),
        ("text; charset=utf-8", "utf-8"),
        ("application/json", "utf-8"),
        ("application/json; charset=utf-16", "utf-16"),
        ("application/problem+json", None),
        ("application/octet-stream", None),
        ("image/png", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_encoding_of(content_type: str, expected: str | None):
    """The declared charset, else what Requests takes the media type to imply."""
    assert expected == encoding_of(content_type)
    assert expected == encoding_from_headers({"content-type": content_type})


def test_encoding_from_headers():
    """Fields are found whatever their case; there may be none, or two."""
    section = FieldSection.of(
        [(b"Content-TYPE", b"text/html"), (b"content-type", b"a/b;charset=x")]
    )

    assert encoding_from_headers(Headers()) is None
    assert "x" == encoding_from_headers(Headers.received(section))


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [(None, None), ("", None), ("a/b", None), ("a/b;charset=x", "x"), ('a/b;charset="', None)],
)
def test_charset_of(content_type: str | None, expected: str | None):
    """The parameter, or None."""
    assert expected == charset_of(content_type)


# What Python has no codec for, and what it has under another name than the standard.
NO_CODEC = {"replacement", "x-user-defined"}
CODECS = {
    "Big5": "big5hkscs",
    "EUC-KR": "cp949",
    "GBK": "gb18030",
    "ISO-8859-8-I": "iso8859-8",
    "Shift_JIS": "cp932",
    "macintosh": "mac-roman",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}


def test_label_vectors(vectors: Path):
    """Every label of the Encoding Standard names the codec of its encoding, in any case."""
    groups = json.loads((vectors / "mime-charset" / "encodings.json").read_text("utf-8"))
    for encoding in (encoding for group in groups for encoding in group["encodings"]):
        name = encoding["name"]
        for label in encoding["labels"]:
            codec = python_codec(f" {label.upper()}\n")
            if name in NO_CODEC:
                assert codec is None, label
            elif label == "utf-16":
                assert "utf-16" == codec  # which heeds the byte order mark
            else:
                assert codec is not None, label
                expected = codecs.lookup(CODECS.get(name, name)).name
                assert expected == codecs.lookup(codec).name, label


@pytest.mark.parametrize("label", ["utf-8-sig", "cp437", "UTF_32", "iso8859_10", "gb2312", "U8"])
def test_further_labels(label: str):
    """Other charsets that Python knows are found by its names for them."""
    codec = python_codec(label)

    assert codec is not None
    b"abcd".decode(codec, "replace")


@pytest.mark.parametrize(
    "label",
    [
        "base64", "zip", "bz2", "hex", "rot13", "uu", "quopri", "utf-7", "idna", "punycode",
        "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "", "nonsense", "os", "../os",
        "ü", "x" * 10_000,
    ],
)  # fmt: skip
def test_labels_that_are_no_charset(label: str):
    """A server cannot choose what is done with its content, only a charset."""
    assert python_codec(label) is None


def test_unknown_labels_are_not_kept():
    """Labels from servers do not fill Python's table of codecs."""
    before = len(sys.modules["encodings"]._cache)  # type: ignore[attr-defined]
    for number in range(1000):
        python_codec(f"unknown-{number}")

    assert before == len(sys.modules["encodings"]._cache)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "ascii"),
        (b"plain", "ascii"),
        ("grüße".encode(), "utf-8"),
        ("grüße".encode("utf-8-sig"), "utf-8-sig"),
        ("grüße".encode("utf-16"), "utf-16"),
        ("grüße".encode("utf-32"), "utf-32"),
        (codecs.BOM_UTF16_BE + "grüße".encode("utf-16-be"), "utf-16"),
        ("日本".encode("iso2022_jp"), "iso2022_jp"),
    ],
)
def test_guess_encoding(data: bytes, expected: str):
    """By the mark, else ASCII or UTF-8 if it is that."""
    assert expected == guess_encoding(data)
    data.decode(expected)


# From the Universal Declaration of Human Rights
TEXTS = {
    "cp1251": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены"
    " разумом и совестью и должны поступать в отношении друг друга в духе братства. ",
    "cp932": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
}


@pytest.mark.parametrize("codec", TEXTS)
def test_guess_encoding_by_statistics(codec: str):
    """Large content is sampled, wherever the sample may end."""
    pytest.importorskip("charset_normalizer", reason="statistics need charset-normalizer")
    text = TEXTS[codec] * (SAMPLE // 100)
    for shift in range(3):
        assert codec == guess_encoding(b"a" * shift + text.encode(codec))


def test_guess_encoding_without_statistics(monkeypatch: pytest.MonkeyPatch):
    """Without charset-normalizer it is windows-1252."""
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)

    assert "cp1252" == guess_encoding("grüße".encode("latin-1"))


@given(st.binary(max_size=200))
def test_a_guess_is_a_codec(data: bytes):
    """Whatever the content, what is guessed can decode it, with replacements."""
    data.decode(guess_encoding(data), "replace")
    guessed = guess_json_encoding(data)
    if guessed is not None:
        data.decode(guessed, "replace")


@pytest.mark.parametrize("text", ['{"a": "ü"}', "[]", '"日本"', "10"])
@pytest.mark.parametrize(
    "codec",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_guess_json_encoding(text: str, codec: str):
    """The Unicode encodings are told apart by their first bytes."""
    assert codec == guess_json_encoding(text.encode(codec))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "utf-8"),
        (b"1", "utf-8"),
        (b"1\0", "utf-16-le"),
        (b"\x001", "utf-16-be"),
        (b"\0\0\0\0", None),
        (b"\0\0", None),
        (b"\0\0\0a", "utf-32-be"),
    ],
)
def test_guess_json_encoding_of_little(data: bytes, expected: str | None):
    """One letter, or zeros where JSON has none."""
    assert expected == guess_json_encoding(data)


# Links --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("<u>", [{"url": "u"}]),
        ("<u>;", [{"url": "u"}]),
        ('<u>; rel=next; type="a/b"', [{"url": "u", "rel": "next", "type": "a/b"}]),
        ("<u>;rel='a',<v>;rel=b", [{"url": "u", "rel": "a"}, {"url": "v", "rel": "b"}]),
        ("<u?a=1,2;b=3>; rel=next", [{"url": "u?a=1,2;b=3", "rel": "next"}]),
        (r'<u>; title="a, b; \"c\""; rel=x', [{"url": "u", "title": 'a, b; "c"', "rel": "x"}]),
        ("<u>; rel=a=b", [{"url": "u", "rel": "a=b"}]),
        ("<u> ; rel = next , <v>", [{"url": "u", "rel": "next"}, {"url": "v"}]),
        ("<u>; rel=a; rel=b", [{"url": "u", "rel": "a"}]),
        ("<u>; crossorigin; rel=a", [{"url": "u", "rel": "a"}]),
        ("u; rel=next, v", [{"url": "u", "rel": "next"}, {"url": "v"}]),
        ("<u", [{"url": "u"}]),
        ('<u>; title="open, <v>', [{"url": "u", "title": "open, <v>"}]),
        ("<u> junk; rel=a, <v>", [{"url": "u"}, {"url": "v"}]),
    ],
)  # fmt: skip
def test_links(value: str, expected: list[dict[str, str]]):
    """Targets and parameters, quoted or not, as Requests shows them."""
    assert expected == parse_link_header(value)
