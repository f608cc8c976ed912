"""Text from bytes: whole, in pieces that may cut a character, and line by line.

What a server calls its charset is never trusted to be one: Python's codecs also unpack zlib,
decode base64, evaluate escapes, and refuse to work. Lines cost what their bytes cost, however
long they are and however small the pieces.
"""

import codecs
from collections.abc import Iterator
from typing import Any

from gofer.messages.media import python_codec

__all__ = ["Decoded", "Lines", "SplitBy", "decode"]


# Codecs from bytes to text that are no charsets
_NOT_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}


def decode(content: bytes, encoding: Any) -> str:
    """`content` as text; by UTF-8 if `encoding` is nothing that decodes text."""
    try:
        if codecs.lookup(encoding).name not in _NOT_CHARSETS:
            return str(content, encoding, errors="replace")
    except (LookupError, TypeError, ValueError):
        pass
    return str(content, _codec_instead_of(encoding), errors="replace")


class Decoded:
    """A step from bytes to text; a character cut by the end of a piece comes with the next."""

    def __init__(self, encoding: Any) -> None:
        self._codec = _codec_for_pieces(encoding)
        self._decoder = codecs.getincrementaldecoder(self._codec)("replace")

    def feed(self, piece: bytes) -> Iterator[str]:
        if text := self._decode(piece):
            yield text

    def end(self) -> Iterator[str]:
        if text := self._decode(b"", final=True):
            yield text

    def _decode(self, piece: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(piece, final)
        except UnicodeError:  # UTF-16 or UTF-32 without a byte order mark, which is no error above
            piece = self._decoder.getstate()[0] + piece
            self._decoder = codecs.getincrementaldecoder(f"{self._codec}-le")("replace")
            return self._decoder.decode(piece, final)


def _codec_for_pieces(encoding: Any) -> str:
    try:
        str(b"?", encoding, errors="replace")  # refused unless it decodes text
        codec = codecs.lookup(encoding)
        if codec.name not in _NOT_CHARSETS and codec.incrementaldecoder is not None:
            return codec.name
    except (LookupError, TypeError, ValueError):
        pass
    return _codec_instead_of(encoding)


def _codec_instead_of(encoding: Any) -> str:
    """What browsers take that label for, which Python does not know; UTF-8 failing that."""
    return (python_codec(encoding) if isinstance(encoding, str) else None) or "utf-8"


class Lines:
    """A step from text or bytes to their lines, as `splitlines` would give them.

    A line is handed on when its end is there. The two halves of a CRLF may be in two pieces.
    """

    def __init__(self) -> None:
        self._unfinished: list[Any] = []
        self._after_cr = False

    def feed(self, piece: Any) -> Iterator[Any]:
        if self._after_cr and piece[:1] in ("\n", b"\n"):
            piece = piece[1:]
        if not piece:
            self._after_cr = False
            return
        self._after_cr = piece[-1:] in ("\r", b"\r")
        found = piece.splitlines()
        rest = None if _is_line_end(piece[-1:]) else found.pop()
        if found and self._unfinished:
            found[0] = _joined([*self._unfinished, found[0]])
            self._unfinished.clear()
        yield from found
        if rest is not None:
            self._unfinished.append(rest)

    def end(self) -> Iterator[Any]:
        if self._unfinished:
            yield _joined(self._unfinished)


class SplitBy:
    """A step to what stands between delimiters, as `split` would give it; nothing for nothing."""

    def __init__(self, delimiter: Any) -> None:
        self._delimiter = delimiter
        self._kept = len(delimiter) - 1  # may be the beginning of a delimiter
        self._tail = delimiter[:0]
        self._unfinished: list[Any] = []
        self._has_content = False

    def feed(self, piece: Any) -> Iterator[Any]:
        self._has_content = True
        *found, rest = (self._tail + piece).split(self._delimiter)
        if found and self._unfinished:
            found[0] = _joined([*self._unfinished, found[0]])
            self._unfinished.clear()
        yield from found
        end = max(len(rest) - self._kept, 0)
        self._unfinished.append(rest[:end])
        self._tail = rest[end:]

    def end(self) -> Iterator[Any]:
        if self._has_content:
            yield _joined([*self._unfinished, self._tail])


def _is_line_end(character: Any) -> bool:
    """True for what `splitlines` splits at: for text, more than CR and LF."""
    return bool(character.splitlines() == [character[:0]])


def _joined(parts: list[Any]) -> Any:
    return parts[0][:0].join(parts)
