"""Request content: what arguments become, how long it is, how it is sent, and sent again."""

import bz2
import collections
import gzip
import io
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.exceptions import (
    FileModeWarning,
    InvalidJSONError,
    LocalProtocolError,
    UnrewindableBodyError,
)
from gofer.messages.content import (
    chunks,
    encode,
    is_async_stream,
    is_replayable,
    is_stream,
    length,
    position,
    rewind,
)

FORM = "application/x-www-form-urlencoded"


def type_name(value: object) -> str:
    """A parameter id without an address in it."""
    return type(value).__name__


def generator(*items: Any) -> Iterator[Any]:
    yield from items


class Items:
    """Iterable as often as one likes."""

    def __init__(self, *items: bytes) -> None:
        self.items = items

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.items)


class SizedItems(Items):
    """As Requests' users write it to show progress: len() is bytes."""

    def __len__(self) -> int:
        return sum(map(len, self.items))


class Pipe(io.RawIOBase):
    """A file that neither tells nor seeks."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0


class AsyncItems:
    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.txt"
    path.write_bytes("grüße\r\n".encode())  # 9 bytes in UTF-8
    return path


# encode() -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [None, {}, [], (), "", b"", bytearray()])
def test_no_content(data: Any):
    """Nothing to send is None, without a media type."""
    assert (None, None) == encode(data, None, None)
    assert (None, None) == encode(data, {}, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": 1}, b'{"a": 1}'), ({}, b"{}"), ([], b"[]"), (0, b"0"), (False, b"false"), ("", b'""')],
)
def test_json(value: Any, expected: bytes):
    """json counts unless it is None, empty values too."""
    assert (expected, "application/json") == encode(None, None, value)
    assert (expected, "application/json") == encode({}, [], value)


def test_json_yields_to_data_and_files():
    """Requests ignores json beside data or files."""
    assert ("a=1", FORM) == encode({"a": 1}, None, {"b": 2})
    body, _ = encode(None, {"f": b"x"}, {"b": 2})
    assert b'{"b"' not in body


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_json_that_json_does_not_have(value: Any):
    """NaN and infinities are an InvalidJSONError."""
    with pytest.raises(InvalidJSONError, match="encoding json"):
        encode(None, None, value)


def test_json_of_something_else_is_a_type_error():
    """What json itself says about a value passes untouched."""
    with pytest.raises(TypeError, match="serializable"):
        encode(None, None, object())


@pytest.mark.parametrize("result", ['"ü"', '"ü"'.encode()])
def test_json_by_another_library(result: str | bytes):
    """`json_dumps` gives text or bytes."""
    body, media_type = encode(None, None, 1, json_dumps=lambda value: result)

    assert ('"ü"'.encode(), "application/json") == (body, media_type)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": "1", "b": ["2", "3"], "c": None}, "a=1&b=2&b=3"),
        ([("a", 1), ("a", 2)], "a=1&a=2"),
        ((("a", "ü &"),), "a=%C3%BC+%26"),
    ],
)
def test_form(data: Any, expected: str):
    """A mapping or pairs are a form."""
    assert (expected, FORM) == encode(data, None, None)


@pytest.mark.parametrize("data", ["text", b"bytes"])
def test_text_and_bytes_stay_as_they_are(data: Any):
    """What the caller encoded has no media type."""
    assert (data, None) == encode(data, None, None)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_buffers_are_copied(kind: Any):
    """What can change while it is sent is copied first."""
    source = bytearray(b"before")
    body, _ = encode(kind(source), None, None)
    source[:] = b"behind"

    assert b"before" == body


@pytest.mark.parametrize(
    "stream", [io.BytesIO(b"x"), generator(b"x"), Items(b"x"), AsyncItems(), {b"x"}], ids=type_name
)
def test_streams_stay_as_they_are(stream: Any):
    """A stream is not read, and cannot be sent beside files."""
    body, media_type = encode(stream, None, {"json": 1})

    assert body is stream
    assert media_type is None
    with pytest.raises(NotImplementedError):
        encode(stream, {"f": b"x"}, None)


@pytest.mark.parametrize("data", ["text", b"bytes", bytearray(b"bytes")])
def test_text_beside_files(data: Any):
    """Text cannot be a field of a form."""
    with pytest.raises(ValueError, match="must not be text"):
        encode(data, {"f": b"x"}, None)


@pytest.mark.parametrize("data", [5, [1, 2], object()])
def test_data_of_another_kind(data: Any):
    """What is no form is an error before anything is sent."""
    with pytest.raises(ValueError, match="2-tuples"):
        encode(data, None, None)


def test_files_make_it_multipart():
    """Fields and files go into one form."""
    body, media_type = encode({"a": "1"}, {"f": ("name.txt", b"content")}, None)

    assert media_type is not None
    assert media_type.startswith("multipart/form-data; boundary=")
    assert b'name="a"' in body
    assert b'filename="name.txt"' in body


# What is a stream, and how long -------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, "x", b"x", bytearray(b"x"), memoryview(b"x"), [], (), {}])
def test_not_streams(body: Any):
    """Bytes, text and forms are no streams; they can be sent again."""
    assert not is_stream(body)
    assert is_replayable(body)
    assert position(body) is None
    rewind(body, None)


def test_async_streams():
    """What has only __aiter__ is an asynchronous stream."""
    assert is_async_stream(AsyncItems())
    assert is_stream(AsyncItems())
    assert not is_async_stream(Items())
    assert not is_async_stream(b"")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, 0),
        (b"", 0),
        ("ü", 2),
        (bytearray(b"abc"), 3),
        (memoryview(b"abcd").cast("H"), 4),
        (io.BytesIO(b"abc"), 3),
        (io.StringIO("aü"), 3),
        (SizedItems(b"ab", b"c"), 3),
        (Items(b"ab"), None),
        (generator(b"ab"), None),
        (AsyncItems(), None),
        (Pipe(), None),
        ([b"ab", b"c"], None),
        ({b"ab"}, None),
        (collections.deque([b"ab"]), None),
    ],
)
def test_length(body: Any, expected: int | None):
    """Bytes to send where they are known; the number of items is not mistaken for it."""
    assert expected == length(body)


def test_length_from_where_a_file_stands(file: Path):
    """What was read before does not count."""
    with file.open("rb") as stream:
        assert 9 == length(stream)
        stream.read(4)
        assert 5 == length(stream)
        stream.read()
        assert 0 == length(stream)
        stream.seek(100)
        assert 0 == length(stream)


def test_length_by_the_attribute_len():
    """`len` is the total, from the beginning, as encoders of other packages have it."""

    class Encoder:
        len = 10
        read = io.BytesIO().read

        def tell(self) -> int:
            return 4

    assert 6 == length(Encoder())


def test_length_of_files_of_every_kind(file: Path):
    """Raw, buffered and temporary files are measured by the system."""
    with open(file, "rb", buffering=0) as raw, open(file, "r+b") as random:
        assert 9 == length(raw)
        assert 9 == length(random)
    with tempfile.NamedTemporaryFile() as named, tempfile.SpooledTemporaryFile() as spooled:
        for temporary in (named, spooled):
            temporary.write(b"abc")
            temporary.seek(0)
            assert 3 == length(temporary)


def test_length_of_an_empty_file(file: Path):
    """An empty file has a length, 0."""
    file.write_bytes(b"")
    with file.open("rb") as stream:
        assert 0 == length(stream)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
def test_length_of_a_file_that_says_0_and_is_not_empty():
    """Files below /proc are of unknown length."""
    with open("/proc/self/status", "rb") as stream:
        assert length(stream) is None
        assert stream.tell() == 0


@pytest.mark.parametrize("module", [gzip, bz2])
def test_length_of_a_packed_file(module: Any, tmp_path: Path):
    """The size of the packed file is not that of what is read from it."""
    path = tmp_path / "packed"
    path.write_bytes(module.compress(b"x" * 1000))
    with module.open(path) as stream:
        assert length(stream) is None


def test_length_of_a_pipe():
    """A pipe's length is not known."""
    reader, writer = os.pipe()
    with open(reader, "rb") as stream, open(writer, "wb"):
        assert length(stream) is None
        assert not is_replayable(stream)
        with pytest.raises(UnrewindableBodyError):
            rewind(stream, position(stream))


def test_text_file_is_measured_in_what_is_sent(file: Path):
    """Line ends are translated, letters are encoded; a warning says how to avoid it."""
    with file.open(encoding="utf-8") as stream:
        stream.read(1)
        with pytest.warns(FileModeWarning, match="binary mode"):
            count = length(stream)

        assert len("rüße\n".encode()) == count
        assert "rüße\n" == stream.read()


def test_text_file_in_another_encoding(file: Path):
    """What is sent is UTF-8, and so long."""
    file.write_text("grüße", encoding="utf-16")
    with file.open(encoding="utf-16") as stream:
        with pytest.warns(FileModeWarning):
            count = length(stream)

        assert 7 == count
        assert "grüße".encode() == b"".join(chunks(stream, declared=count))


# Again --------------------------------------------------------------------------------------------


def test_file_is_rewound_to_where_it_stood(file: Path):
    """Not to its beginning: what was read before was not meant."""
    with file.open("rb") as stream:
        stream.read(2)
        start = position(stream)
        first = b"".join(chunks(stream))
        rewind(stream, start)

        assert is_replayable(stream)
        assert first == b"".join(chunks(stream))


def test_reiterable_is_replayable():
    """A class with __iter__ begins anew by itself."""
    body = Items(b"a", b"b")

    assert is_replayable(body)
    rewind(body, position(body))
    assert b"ab" == b"".join(chunks(body)) == b"".join(chunks(body))


@pytest.mark.parametrize(
    "body", [generator(b"x"), iter([b"x"]), Pipe(), AsyncItems()], ids=type_name
)
def test_what_cannot_be_sent_again(body: Any):
    """It says so, by name."""
    assert not is_replayable(body)
    with pytest.raises(UnrewindableBodyError, match=type(body).__name__):
        rewind(body, position(body))


def test_closed_file_cannot_be_sent_again():
    """A file that was closed meanwhile is the named error, not a ValueError."""
    body = io.BytesIO(b"x")
    start = position(body)
    body.close()

    assert not is_replayable(body)
    with pytest.raises(UnrewindableBodyError, match="failed"):
        rewind(body, start)


# chunks() -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "grüße",
        "grüße".encode(),
        bytearray("grüße".encode()),
        memoryview("grüße".encode()),
        io.BytesIO("grüße".encode()),
        io.StringIO("grüße"),
        ["grü", "ße".encode()],
        Items(b"", "grü".encode(), b"", "ße".encode()),
        generator("grü", bytearray(b""), memoryview("ße".encode())),
    ],
    ids=lambda body: type(body).__name__,
)
def test_chunks_of_every_kind(body: Any):
    """Whatever the content is, it comes as bytes, text as UTF-8, and never an empty piece."""
    pieces = list(chunks(body, declared=7))

    assert "grüße".encode() == b"".join(pieces)
    assert all(type(piece) is bytes and piece for piece in pieces)


@pytest.mark.parametrize(
    "body", [None, b"", "", io.BytesIO(), [], generator(b"", "")], ids=type_name
)
def test_chunks_of_nothing(body: Any):
    """Empty content is no pieces."""
    assert [] == list(chunks(body, declared=0))


@given(st.binary(max_size=100), st.integers(1, 40), st.booleans())
def test_file_in_pieces(content: bytes, size: int, is_declared: bool):
    """A file comes in pieces of the size asked for, the last one shorter."""
    pieces = list(chunks(io.BytesIO(content), size, declared=len(content) if is_declared else None))

    assert content == b"".join(pieces)
    assert all(len(piece) == size for piece in pieces[:-1])


def test_file_that_grew_is_cut():
    """The declared length is what is sent."""
    body = io.BytesIO(b"abcdef")

    assert [b"ab", b"c"] == list(chunks(body, 2, declared=3))


def test_file_that_ignores_the_size_is_cut():
    """Not even a read() that gives more than asked for can send more than was declared."""

    class Generous:
        def read(self, size: int = -1) -> bytes:
            return b"abcdef"

    assert [b"abc"] == list(chunks(Generous(), declared=3))


@pytest.mark.parametrize(
    "body", [io.BytesIO(b"ab"), io.StringIO("ab"), Items(b"a", b"b"), generator(b"ab")]
)
def test_less_than_declared(body: Any):
    """The message would never end: an error, after what there was."""
    sent = []
    with pytest.raises(LocalProtocolError, match=r"got 2.* bytes, expected the 3"):
        sent.extend(chunks(body, declared=3))

    assert b"ab" == b"".join(sent)


@pytest.mark.parametrize("body", [b"ab", "ab", bytearray(b"ab")])
@pytest.mark.parametrize("declared", [1, 3])
def test_bytes_of_another_length_than_declared(body: Any, declared: int):
    """An error before anything is sent."""
    with pytest.raises(LocalProtocolError, match="got 2 bytes"):
        chunks(body, declared=declared)


def test_iterator_with_more_than_declared():
    """The bytes over the length would be taken for the next request: they are not handed out."""
    pieces = chunks(generator(b"abc", b"d"), declared=3)

    assert b"abc" == next(pieces)
    with pytest.raises(LocalProtocolError, match="got 4 or more bytes, expected the 3"):
        next(pieces)


def test_exception_of_the_iterator_passes_untouched():
    """It is the caller's own."""
    mistake = ZeroDivisionError()

    def failing() -> Iterator[bytes]:
        yield b"a"
        raise mistake

    pieces = chunks(failing())
    assert b"a" == next(pieces)
    with pytest.raises(ZeroDivisionError) as caught:
        next(pieces)
    assert mistake is caught.value


@pytest.mark.parametrize("body", [generator(1), generator(None), [b"a", 5]])
def test_items_of_another_kind(body: Any):
    """Only bytes and text can be sent."""
    with pytest.raises(TypeError, match="expected bytes or text"):
        list(chunks(body))


@pytest.mark.parametrize("body", [5, object(), {"a": "1"}])
def test_content_of_another_kind(body: Any):
    """What is no content at all is refused at once."""
    with pytest.raises(TypeError, match=f"got {type(body).__name__}, expected bytes"):
        chunks(body)


def test_async_stream_in_a_blocking_session():
    """The message says which session can send it."""
    with pytest.raises(TypeError, match="AsyncSession"):
        chunks(AsyncItems())
