"""multipart/form-data, read back by a strict reader."""

import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofer.exceptions import FileModeWarning, InvalidHeader, LocalProtocolError
from gofer.messages.content import chunks, is_replayable, is_stream, length, position, rewind
from gofer.messages.multipart import MAX_IN_MEMORY, MultipartContent, encode_multipart
from servers.multipart import Part, parse_multipart

MIB = 1024 * 1024


def parts_of(fields: Any, files: Any) -> list[Part]:
    """What a server makes of a form."""
    body, content_type = encode_multipart(fields, files)
    content = body if isinstance(body, bytes) else b"".join(body)
    return parse_multipart(content_type, content)


def part_of(file: Any) -> Part:
    """What a server makes of the file called f."""
    (part,) = parts_of(None, {"f": file})
    return part


# Forms --------------------------------------------------------------------------------------------


def test_whole_form_byte_by_byte():
    """Delimiters, field lines and their order are those of Requests."""
    body, content_type = encode_multipart(
        {"a": "1"}, {"f": ("n.txt", b"content", "text/x", {"X-More": "yes"})}, boundary="xyz"
    )

    assert "multipart/form-data; boundary=xyz" == content_type
    assert body == (
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n'
        b"Content-Type: text/x\r\nX-More: yes\r\n\r\ncontent\r\n"
        b"--xyz--\r\n"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"a": ["1", 2, None, b"3"], "b": None, b"c": "ü", "d": 4.5},
        [("a", "1"), ("a", 2), ("a", b"3"), ("c", "ü"), ("d", 4.5)],
    ],
)
def test_fields(fields: Any):
    """Lists repeat the name, None drops it, numbers and text are written out."""
    parts = parts_of(fields, {"f": b""})

    expected = [("a", b"1"), ("a", b"2"), ("a", b"3"), ("c", "ü".encode()), ("d", b"4.5")]
    assert expected == [(part.name, part.content) for part in parts[:-1]]
    assert {None} == {part.filename for part in parts[:-1]}


@pytest.mark.parametrize("file", ["text", b"text", bytearray(b"text"), memoryview(b"text")])
def test_file_given_as_content(file: Any):
    """Without a name of its own a file is called as its field."""
    part = part_of(file)

    assert ("f", "f", b"text") == (part.name, part.filename, part.content)


def test_file_with_a_name_of_its_own(tmp_path: Path):
    """A real file is called by the last part of its path."""
    path = tmp_path / "report.csv"
    path.write_bytes(b"1,2")
    with path.open("rb") as file:
        part = part_of(file)

    assert ("report.csv", "text/csv", b"1,2") == (
        part.filename,
        part.fields["content-type"],
        part.content,
    )


@pytest.mark.parametrize("name", ["<stdin>", "<fdopen>", 7, None, ""])
def test_file_whose_name_is_none(name: Any):
    """Pseudo-names and descriptors are no file names."""
    file = io.BytesIO(b"x")
    file.name = name  # type: ignore[attr-defined]

    assert "f" == part_of(file).filename


def test_file_without_filename_is_a_field():
    """(None, value) is the idiom for an ordinary field in a multipart form."""
    part = part_of((None, "value"))

    assert part.filename is None
    assert {"content-disposition"} == set(part.fields)
    assert b"value" == part.content


def test_file_that_is_none():
    """It is left out."""
    assert [] == parts_of(None, {"f": None, "g": ("name", None)})


def test_several_files_of_one_name():
    """Pairs may repeat a name, also with the same open file."""
    file = io.BytesIO(b"x")
    parts = parts_of(None, [("f", ("1", file)), ("f", ("2", file))])

    assert [("1", b"x"), ("2", b"x")] == [(part.filename, part.content) for part in parts]


def test_file_is_read_from_where_it_stands():
    """As read() would."""
    file = io.BytesIO(b"abcdef")
    file.seek(4)

    assert b"ef" == part_of(file).content


def test_text_file(tmp_path: Path):
    """Its text is sent as UTF-8, with a warning."""
    path = tmp_path / "latin.txt"
    path.write_text("grüße\n", encoding="latin-1")
    with path.open(encoding="latin-1") as file, pytest.warns(FileModeWarning):
        part = part_of(file)

    assert "grüße\n".encode() == part.content
    assert "grüße" == part_of(io.StringIO("grüße")).content.decode()


@pytest.mark.parametrize("files", [{"f": ("n",)}, {"f": (1, 2, 3, 4, 5)}, "text", [1], 5])
def test_files_that_cannot_be_understood(files: Any):
    """It is an error of the caller that says what was expected."""
    with pytest.raises(ValueError, match="expected"):
        encode_multipart(None, files)


def test_file_of_another_kind():
    """What is no content is refused by its type."""
    with pytest.raises(TypeError, match="got object, expected a file"):
        encode_multipart(None, {"f": object()})


# Media types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.png", "image/png"),
        ("a.b.JSON", "application/json"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("data:text/html,a", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_media_type_by_the_name(filename: str, expected: str):
    """A file without a media type gets that of its ending."""
    assert expected == part_of((filename, b"x")).fields["content-type"]


@pytest.mark.parametrize(
    "file",
    [
        ("n.png", b"", "text/x"),
        ("n.png", b"", None, {"content-type": "text/x"}),
        ("n.png", b"", "text/x", [("Content-Type", "text/y")]),
        (None, b"", "text/x"),
    ],
)
def test_media_type_given(file: Any):
    """Explicit wins; there is one Content-Type."""
    assert "text/x" == part_of(file).fields["content-type"]


def test_fields_of_a_part():
    """They are added; Content-Disposition stays ours, and values may be UTF-8."""
    part = part_of(("n", b"", "t/x", {"X-Title": "ü", "Content-Disposition": "x", "X-No": None}))

    assert ["content-disposition", "content-type", "x-title"] == list(part.fields)
    assert "ü" == part.fields["x-title"]


# Injection ----------------------------------------------------------------------------------------


def test_names_are_escaped():
    """Quotes and line breaks are percent-encoded, as browsers do it; the rest is UTF-8."""
    body, _ = encode_multipart(None, {'n"\r\nX: 1': ('ü"\r\nY: 2\\', b"")}, boundary="b")

    assert b'name="n%22%0D%0AX: 1"; filename="' + "ü".encode() + b"%22%0D%0AY: 2\\" in body
    assert body.count(b"\r\n") == 6


@pytest.mark.parametrize(
    "file",
    [
        ("a\0b", b""),
        ("n", b"", "text/x\r\nX: 1"),
        ("n", b"", "t/x", {"X": "1\r\nY: 2"}),
        ("n", b"", "t/x", {"X\r\nY": "1"}),
        ("n", b"", "t/x", {"X Y": "1"}),
    ],
)
def test_control_characters_are_refused(file: Any):
    """Nothing can write a line of its own into the head of a part."""
    with pytest.raises(InvalidHeader):
        encode_multipart(None, {"f": file})


@settings(deadline=None)
@given(
    names=st.lists(st.text(max_size=20), min_size=1, max_size=4),
    contents=st.lists(st.binary(max_size=50), min_size=4, max_size=4),
)
def test_any_name_and_content_round_trips(names: list[str], contents: list[bytes]):
    """What is accepted is read back as it was; what is not is an InvalidHeader."""
    files = [(name, (name, content)) for name, content in zip(names, contents, strict=False)]
    try:
        parts = parts_of(None, files)
    except (InvalidHeader, UnicodeEncodeError):
        assert any(not name.isprintable() for name in names)
        return

    escapes = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
    assert [content for _, (_, content) in files] == [part.content for part in parts]
    if not any("\\" in name for name in names):
        assert [name.translate(escapes) for name in names] == [part.name for part in parts]


# Boundary -----------------------------------------------------------------------------------------


def test_boundary_is_random():
    """128 bits that nobody can guess."""
    first, second = (encode_multipart({"a": "1"}, None)[1] for _ in range(2))

    assert first != second
    assert 32 == len(first.partition("boundary=")[2])


@pytest.mark.parametrize(("boundary", "shown"), [("a-b", "a-b"), ("a:b c", '"a:b c"')])
def test_boundary_of_the_caller(boundary: str, shown: str):
    """It is quoted where it has to be."""
    body, content_type = encode_multipart({"a": "1"}, None, boundary)

    assert f"multipart/form-data; boundary={shown}" == content_type
    assert isinstance(body, bytes)
    assert body.startswith(f"--{boundary}\r\n".encode())


def test_length_of_a_boundary():
    """1 to 70 characters."""
    for count in (1, 69, 70):
        encode_multipart(None, None, "b" * count)
    for boundary in ("", "b" * 71, "b ", "b\r\n", "ü", 'b"'):
        with pytest.raises(ValueError, match="boundary"):
            encode_multipart(None, None, boundary)


# Large contents -----------------------------------------------------------------------------------


class Large(io.RawIOBase):
    """A file of zeros that takes no memory."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.place = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read to its end at once"
        count = min(size, self.size - self.place)
        self.place += count
        return bytes(count)

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.place = offset + (self.size if whence == os.SEEK_END else 0)
        return self.place

    def seekable(self) -> bool:
        return True


class Unknown:
    """A file that can only be read."""

    def __init__(self, content: bytes) -> None:
        self.read = io.BytesIO(content).read


def overhead() -> int:
    """The bytes of a form with an empty file."""
    return len(encode_multipart(None, {"f": b""})[0])  # type: ignore[arg-type]


def test_small_forms_are_bytes():
    """Up to 1 MiB in all, files included, a form is bytes; a byte more and it is a stream."""
    fitting = MAX_IN_MEMORY - overhead()
    for size, is_bytes in ((fitting - 1, True), (fitting, True), (fitting + 1, False)):
        for file in (bytes(size), io.BytesIO(bytes(size)), Large(size)):
            body, _ = encode_multipart(None, {"f": ("f", file)})
            assert is_bytes == isinstance(body, bytes)
            assert is_bytes != is_stream(body)
            assert size + overhead() == length(body)


def test_small_file_may_be_closed_before_it_is_sent(tmp_path: Path):
    """A prepared request with a small file does not need the file any more."""
    path = tmp_path / "f"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        body, _ = encode_multipart(None, {"f": file})

    assert b"content" in bytes(body)  # type: ignore[arg-type]


def test_large_file_takes_no_memory():
    """A form larger than memory is sent in pieces."""
    size = 200 * MIB
    body, _ = encode_multipart({"a": "1"}, {"f": Large(size)})
    declared = length(body)
    tracemalloc.start()
    try:
        count = sum(map(len, chunks(body, declared=declared)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert declared == count > size
    assert peak < MIB


def large(*files: Any) -> MultipartContent:
    """A form that is not small, always with the same boundary."""
    named = [("f", ("f", file)) for file in (b"x" * MAX_IN_MEMORY, *files)]
    body, _ = encode_multipart({"a": "1"}, named, boundary="b")
    assert isinstance(body, MultipartContent)
    return body


@pytest.mark.parametrize("size", [1, 7, 1000, 64 * 1024, 10 * MIB])
def test_read_gives_what_is_asked_for(size: int):
    """Fewer bytes come only at the end, b"" behind it."""
    body = large(io.BytesIO(b"y" * 100_000), io.StringIO("ü" * 100_000))
    body.read((length(body) or 0) - 3_000)
    pieces = []
    while piece := body.read(size):
        pieces.append(piece)

    assert 3_000 == len(b"".join(pieces))
    assert all(len(piece) == size for piece in pieces[:-1])
    assert body.len == body.tell()
    assert b"" == body.read(size) == body.read()


def test_every_way_to_read_gives_the_same():
    """Whole, in pieces and by iteration."""
    body = large(io.BytesIO(b"y" * 70_000), io.StringIO("ü" * 70_000))
    whole = body.read()
    assert len(whole) == body.len

    body.seek(0)
    assert whole == b"".join(body)
    body.seek(0)
    assert whole == b"".join(chunks(body, 1000))
    body.seek(0)
    assert whole == body.read(10) + body.read(None)
    assert b"" == body.read(0)


def test_large_form_is_sent_again():
    """It begins anew if all of its files can, from where each of them stood."""
    file = io.BytesIO(b"abc")
    file.seek(1)
    body = large(file)
    start = position(body)
    first = body.read()
    rewind(body, start)

    assert is_replayable(body)
    assert first == body.read()
    assert b"\r\n\r\nbc\r\n" in first


def test_form_with_a_file_that_cannot_go_back():
    """It is of unknown length, and sent once."""
    body = large(Unknown(b"abc"))

    assert length(body) is None
    assert not is_replayable(body)
    body.seek(0)  # nothing has been read
    assert body.read().endswith(b"abc\r\n--b--\r\n")
    with pytest.raises(io.UnsupportedOperation, match="cannot be rewound"):
        body.seek(0)


def test_small_form_of_unknown_length_is_a_stream():
    """A pipe is not read before it is sent, however little there may be in it."""
    body, _ = encode_multipart(None, {"f": Unknown(b"abc")})

    assert isinstance(body, MultipartContent)
    assert body.len is None
    assert "<MultipartContent unknown length, 0 read>" == repr(body)


def test_no_other_place_can_be_gone_to():
    """seek() is for beginning anew."""
    with pytest.raises(io.UnsupportedOperation, match="beginning"):
        large().seek(5)
    with pytest.raises(io.UnsupportedOperation, match="beginning"):
        large().seek(0, os.SEEK_END)


def test_file_that_shrank():
    """The form would be shorter than declared: an error."""
    file = io.BytesIO(b"abcdef")
    body = large(file)
    file.truncate(3)

    with pytest.raises(LocalProtocolError, match="shrank"):
        body.read()


def test_file_that_grew():
    """What was there when the form was made is sent."""
    file = io.BytesIO(b"abc")
    body = large(file)
    file.getbuffer()[:] = b"xyz"
    file.seek(0, os.SEEK_END)
    file.write(b"more")

    assert body.read().endswith(b"\r\n\r\nxyz\r\n--b--\r\n")
