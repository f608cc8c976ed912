"""Text from bytes: whole, in pieces that may cut a character, and line by line.

What a server calls its charset is never trusted to be one: Python's codecs also unpack zlib,
decode base64, and refuse to work. Lines cost what their bytes cost, however long they are and
however small the pieces.
"""

import codecs
from collections.abc import Iterable, Iterator
from typing import Any

from gofer.messages.media import python_codec

__all__ = ["decode", "decode_pieces", "lines", "lines_by"]


def decode(content: bytes, encoding: Any) -> str:
    """`content` as text; by UTF-8 if `encoding` is nothing that decodes text."""
    try:
        return str(content, encoding, errors="replace")
    except (LookupError, TypeError, ValueError):
        return str(content, _codec_instead_of(encoding), errors="replace")


def decode_pieces(pieces: Iterable[bytes], encoding: Any) -> Iterator[str]:
    """`pieces` as text, none empty; a character cut by the end of a piece comes with the next."""
    decoder = _incremental_decoder(encoding)
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def _incremental_decoder(encoding: Any) -> codecs.IncrementalDecoder:
    try:
        str(b"?", encoding, errors="replace")  # refused unless it decodes text
        codec = str(encoding)
        codecs.getincrementaldecoder(codec)  # some have none
    except (LookupError, TypeError, ValueError):
        codec = _codec_instead_of(encoding)
    return codecs.getincrementaldecoder(codec)(errors="replace")


def _codec_instead_of(encoding: Any) -> str:
    """What browsers take that label for, which Python does not know; UTF-8 failing that."""
    return (python_codec(encoding) if isinstance(encoding, str) else None) or "utf-8"


def lines(pieces: Iterable[Any]) -> Iterator[Any]:
    """The lines of the text or bytes that come in `pieces`, as `splitlines` would give them.

    A line is handed on when its end is there. The two halves of a CRLF may be in two pieces.
    """
    unfinished: list[Any] = []
    after_cr = False
    for piece in pieces:
        if after_cr and piece[:1] in ("\n", b"\n"):
            piece = piece[1:]
        if not piece:
            after_cr = False
            continue
        after_cr = piece[-1:] in ("\r", b"\r")
        found = piece.splitlines()
        rest = None if _is_line_end(piece[-1:]) else found.pop()
        if found and unfinished:
            found[0] = _joined([*unfinished, found[0]])
            unfinished.clear()
        yield from found
        if rest is not None:
            unfinished.append(rest)
    if unfinished:
        yield _joined(unfinished)


def lines_by(pieces: Iterable[Any], delimiter: Any) -> Iterator[Any]:
    """What stands between the delimiters, as `split` would give it; nothing for no content."""
    unfinished: list[Any] = []
    kept = len(delimiter) - 1  # may be the beginning of a delimiter
    tail = delimiter[:0]
    has_content = False
    for piece in pieces:
        has_content = True
        *found, rest = (tail + piece).split(delimiter)
        if found and unfinished:
            found[0] = _joined([*unfinished, found[0]])
            unfinished.clear()
        yield from found
        end = max(len(rest) - kept, 0)
        unfinished.append(rest[:end])
        tail = rest[end:]
    if has_content:
        yield _joined([*unfinished, tail])


def _is_line_end(character: Any) -> bool:
    """True for what `splitlines` splits at: for text, more than CR and LF."""
    return bool(character.splitlines() == [character[:0]])


def _joined(parts: list[Any]) -> Any:
    return parts[0][:0].join(parts)
