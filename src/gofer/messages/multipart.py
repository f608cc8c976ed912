"""multipart/form-data (RFC 7578, RFC 2046): forms with files in them.

A small form is plain bytes. A large one is a `MultipartContent`, which reads its files while it
is sent: a file larger than memory is no trouble. Names are escaped as browsers do it (WHATWG
HTML, multipart/form-data encoding algorithm), so none can write a line of its own.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gofer.messages.content import chunks, is_replayable, length, position
from gofer.messages.fields import check_field

__all__ = ["FilePart", "MultipartContent", "encode_multipart"]

MAX_IN_MEMORY = 1024 * 1024  # bytes; up to here the content is bytes, files included
PIECE = 64 * 1024

# boundary := 0*69<bchars> bcharsnospace (RFC 2046, 5.1.1)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})

_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


class FilePart:
    """The content of a part that is read from a file, from where the file stands now.

    Attributes:
        start: where that is, None if the file cannot come back to it.
        length: bytes, None if it is not known.
    """

    __slots__ = ("file", "length", "start")

    def __init__(self, file: Any) -> None:
        self.file = file
        start = position(file) if is_replayable(file) else None
        self.start: int | None = start if isinstance(start, int) else None
        self.length = length(file)

    def chunks(self) -> Iterator[bytes]:
        """The content, always from `start` on where that is possible.

        Raises:
            LocalProtocolError: the file is shorter than it was.
        """
        if self.start is not None:
            self.file.seek(self.start)
        yield from chunks(self.file, PIECE, declared=self.length)


class MultipartContent:
    """A multipart content that is put together while it is read. Takes 64 KiB of memory.

    It is read like a file and iterated over; `seek(0)` begins anew, if its files can.
    """

    def __init__(self, pieces: Sequence[bytes | FilePart]) -> None:
        self._pieces = pieces
        self._position = 0
        self._rest = b""  # read, and not handed out yet
        self._source = self._read_pieces()

    @property
    def len(self) -> int | None:
        """The length in bytes, from the beginning; None if a file's length is not known."""
        total = 0
        for piece in self._pieces:
            count = len(piece) if isinstance(piece, bytes) else piece.length
            if count is None:
                return None
            total += count
        return total

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer only at the end; all that is left for None or -1.

        Raises:
            LocalProtocolError: a file is shorter than it was.
        """
        if size is None or size < 0:
            parts = [self._rest, *self._source]
            self._rest = b""
        else:
            parts = self._take_parts(size)
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._position += len(data)
        return data

    def _take_parts(self, size: int) -> list[bytes]:
        parts = []
        while size:
            part = self._rest or next(self._source, b"")
            if not part:
                break
            parts.append(part[:size])
            self._rest = part[size:]
            size -= len(parts[-1])
        return parts

    def __iter__(self) -> Iterator[bytes]:
        while part := self.read(PIECE):
            yield part

    def tell(self) -> int:
        """How many bytes have been read."""
        return self._position

    def seekable(self) -> bool:
        """True if it can begin anew."""
        return all(isinstance(piece, bytes) or piece.start is not None for piece in self._pieces)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Begin anew; no other place can be gone to.

        Raises:
            io.UnsupportedOperation: `offset` is not 0, or a file cannot go back.
        """
        if offset != 0 or whence != os.SEEK_SET:
            raise io.UnsupportedOperation("multipart content can only be rewound to its beginning")
        if self._position and not self.seekable():
            raise io.UnsupportedOperation("a file in the multipart content cannot be rewound")
        self._position = 0
        self._rest = b""
        self._source = self._read_pieces()
        return 0

    def _read_pieces(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                for start in range(0, len(piece), PIECE):
                    yield piece[start : start + PIECE]
            else:
                yield from piece.chunks()

    def __repr__(self) -> str:
        total = "unknown length" if self.len is None else f"{self.len} bytes"
        return f"<MultipartContent {total}, {self._position} read>"


# From fields and files ----------------------------------------------------------------------------


def encode_multipart(
    fields: Any, files: Any, boundary: str | None = None
) -> tuple[bytes | MultipartContent, str]:
    """A form of `fields` and `files` as multipart/form-data, and its Content-Type.

    It is bytes up to 1 MiB in all, a `MultipartContent` above that and for files of unknown
    length.

    Args:
        fields: a mapping or pairs; a list of values repeats the name, None drops it.
        files: a mapping or pairs of a name and a file, text, bytes, or a tuple (filename, file),
            (filename, file, media type), (…, fields of the part). A filename that is None makes
            it an ordinary field; a file that is None drops it.
        boundary: what separates the parts; 128 random bits if not given.

    Raises:
        InvalidHeader: a name, filename, media type or field of a part holds a control character.
        ValueError: `fields`, `files` or `boundary` cannot be understood.
        TypeError: a file is none.
    """
    if boundary is None:
        boundary = os.urandom(16).hex()
    elif not _BOUNDARY.fullmatch(boundary):
        raise ValueError(
            f"encoding multipart: the boundary is {boundary[:40]!r},"
            " expected 1 to 70 characters of RFC 2046, 5.1.1"
        )
    delimiter = b"--" + boundary.encode("ascii")
    quoted = boundary if _TOKEN.fullmatch(boundary) else f'"{boundary}"'
    content_type = f"multipart/form-data; boundary={quoted}"

    pieces: list[bytes | FilePart] = []
    for head, content in (*_plain_parts(fields), *_file_parts(files)):
        pieces += (delimiter + b"\r\n" + head + b"\r\n", content, b"\r\n")
    pieces.append(delimiter + b"--\r\n")

    body = MultipartContent(pieces)
    total = body.len
    if total is None or total > MAX_IN_MEMORY:
        return body, content_type
    return body.read(), content_type


def _plain_parts(fields: Any) -> Iterator[tuple[bytes, bytes]]:
    for name, values in _pairs(fields or (), "fields"):
        if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
            values = (values,)
        for value in values:
            if value is not None:
                content = value if isinstance(value, bytes) else str(value).encode("utf-8")
                yield _head(name, None, None, None), content


def _file_parts(files: Any) -> Iterator[tuple[bytes, bytes | FilePart]]:
    for name, value in _pairs(files or (), "files"):
        media_type = fields = None
        if not isinstance(value, (tuple, list)):
            filename, file = _filename(value) or name, value
        elif len(value) == 2:
            filename, file = value
        elif len(value) == 3:
            filename, file, media_type = value
        elif len(value) == 4:
            filename, file, media_type, fields = value
        else:
            raise ValueError(
                f"encoding files: got a tuple of {len(value)},"
                " expected (filename, file[, media type[, fields]])"
            )
        if file is not None:
            yield _head(name, filename, media_type, fields), _content(file)


def _content(file: Any) -> bytes | FilePart:
    if isinstance(file, str):
        return file.encode("utf-8")
    if isinstance(file, (bytes, bytearray, memoryview)):
        return bytes(file)
    if hasattr(file, "read"):
        return FilePart(file)
    if isinstance(file, int):
        return str(file).encode("ascii")
    raise TypeError(f"encoding files: got {type(file).__name__}, expected a file, bytes or text")


def _filename(file: Any) -> str | None:
    """The name a file has by itself, without its folder; pseudo-files are called <so>."""
    name = getattr(file, "name", None)
    if not isinstance(name, (str, bytes)):
        return None
    text = os.fsdecode(name)
    if text[:1] == "<" or text[-1:] == ">":
        return None
    return os.path.basename(text) or None


def _pairs(value: Any, what: str) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    try:
        return [(name, content) for name, content in value]
    except (TypeError, ValueError) as error:
        raise ValueError(f"encoding {what}: expected a mapping or 2-tuples") from error


# The head of a part -------------------------------------------------------------------------------


def _head(name: Any, filename: Any, media_type: Any, fields: Any) -> bytes:
    """The part's field lines, each ended by CRLF."""
    disposition = f'form-data; name="{_escaped(name)}"'
    if filename is not None:
        disposition += f'; filename="{_escaped(filename)}"'
    lines = [("Content-Disposition", disposition)]

    more = _pairs(fields or (), "the fields of a part")
    more = [(_text(key), value) for key, value in more if value]
    if media_type is None:
        given = [value for key, value in more if key.lower() == "content-type"]
        if given:
            media_type = given[0]
        elif filename is not None:
            media_type = _guess_media_type(_text(filename))
    if media_type:
        lines.append(("Content-Type", _text(media_type)))
    ours = ("content-disposition", "content-type")
    lines += [(key, _text(value)) for key, value in more if key.lower() not in ours]

    # As bytes, because these fields are UTF-8 (RFC 7578, 5.1), unlike those of a message.
    checked = [check_field(key, value.encode("utf-8")) for key, value in lines]
    return b"".join([b"%s: %s\r\n" % line for line in checked])


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _escaped(value: Any) -> str:
    return _text(value).translate(_ESCAPES)


def _guess_media_type(filename: str) -> str:
    from mimetypes import guess_type

    # By the endings alone: guess_type() would take "data:text/html," for a URL.
    _, dot, endings = filename.rpartition("/")[2].partition(".")
    media_type, packing = guess_type(f"file.{endings}") if dot else (None, None)
    if packing is not None:
        media_type = _PACKED.get(packing)
    return media_type or "application/octet-stream"
