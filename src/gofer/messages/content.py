"""A request's content: what `data`, `files` and `json` become, how long it is, how it is sent.

Content is bytes or text, or a *stream*: a file, or anything that is iterated over. Streams are
never read into memory here; `chunks` hands them out, and sees to it that what was declared in
Content-Length is what is sent. No state: where a stream began is kept by who sends it.
"""

import io
import json as json_library
import os
import stat
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import (
    FileModeWarning,
    InvalidJSONError,
    LocalProtocolError,
    UnrewindableBodyError,
)
from gofer.messages.url import encode_form

__all__ = [
    "Pieces",
    "chunks",
    "encode",
    "is_async_stream",
    "is_replayable",
    "is_stream",
    "length",
    "position",
    "refuse_async",
    "rewind",
]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

PIECE = 64 * 1024  # bytes read of a file at a time

_BYTES = (bytes, bytearray, memoryview)
_NOT_STREAMS = (str, *_BYTES, list, tuple, Mapping)

# Their len() counts items. Other iterables with a len() mean bytes by it, as for Requests.
_CONTAINERS = (list, tuple, set, frozenset, deque, Mapping)

# NaN and Infinity are not JSON. An encoder made once saves 2 µs a call over json.dumps().
_dump_json = json_library.JSONEncoder(allow_nan=False).encode


# From arguments to content ------------------------------------------------------------------------


def encode(
    data: Any,
    files: Any,
    json: Any,
    *,
    json_dumps: Callable[[Any], str | bytes] | None = None,
) -> tuple[Any, str | None]:
    """The content that `data`, `files` and `json` stand for, and its media type.

    `files` make a multipart/form-data content of themselves and `data`; `json` counts only where
    neither of them is given. The media type is None for what the caller encoded.

    Returns:
        (None, bytes, str or a stream; the Content-Type field's value or None).

    Raises:
        InvalidJSONError: `json` has no JSON form, for instance NaN.
        NotImplementedError: `data` is a stream beside `files`.
        ValueError: `data` is text or bytes beside `files`, or is no mapping and no pairs.
    """
    if is_stream(data):
        if files:
            raise NotImplementedError("streamed data and files cannot be sent together")
        return data, None
    if files:
        from gofer.messages.multipart import encode_multipart

        if isinstance(data, (str, *_BYTES)):
            raise ValueError("encoding files: data must not be text or bytes, but fields")
        return encode_multipart(data, files)
    if not data:
        return (None, None) if json is None else (_encode_json(json, json_dumps), JSON)
    if isinstance(data, (str, bytes)):
        return data, None
    if isinstance(data, _BYTES):
        return bytes(data), None  # a copy: it may be changed while it is sent
    return encode_form(data), FORM


def _encode_json(value: Any, json_dumps: Callable[[Any], str | bytes] | None) -> bytes:
    try:
        text = (json_dumps or _dump_json)(value)
    except ValueError as error:
        raise InvalidJSONError(f"encoding json: {error}") from error
    return text.encode("utf-8") if isinstance(text, str) else text


# Questions to content -----------------------------------------------------------------------------


def is_stream(body: Any) -> bool:
    """True for a file and for what is iterated over; False for bytes, text and form data."""
    if body is None or isinstance(body, _NOT_STREAMS):
        return False
    return hasattr(body, "__iter__") or hasattr(body, "read") or is_async_stream(body)


def is_async_stream(body: Any) -> bool:
    """True for what can only be iterated over by `async for`."""
    return hasattr(body, "__aiter__") and not hasattr(body, "__iter__")


def refuse_async(body: Any) -> None:
    """Raise TypeError for what a synchronous face cannot iterate over."""
    if body is not None and is_async_stream(body):
        raise TypeError(
            f"sending content: {type(body).__name__} is iterated over by async for;"
            " use an AsyncSession"
        )


def length(body: Any) -> int | None:
    """How many bytes there are to send from here on, or None if that is not known.

    A text file is read to its end and rewound, because only so its length in UTF-8 is known.
    Pipes, compressed files and generators have no known length.
    """
    if body is None:
        return 0
    if isinstance(body, (bytes, bytearray)):
        return len(body)
    if isinstance(body, str):
        return len(body.encode("utf-8"))
    if isinstance(body, memoryview):
        return body.nbytes
    if isinstance(body, _CONTAINERS):
        return None
    if _is_text(body):
        return _text_length(body)
    end = _end(body)
    start = position(body)
    if end is None or not isinstance(start, int):
        return end
    return max(0, end - start)


def _is_text(body: Any) -> bool:
    """True for a file opened in text mode; warns, as what is on disk is not what is sent."""
    mode = getattr(body, "mode", None)
    if isinstance(body, io.IOBase):
        is_text = isinstance(body, io.TextIOBase)
    else:
        is_text = isinstance(mode, str) and "b" not in mode and hasattr(body, "read")
    if is_text and isinstance(mode, str):
        warnings.warn(
            "the file to send was opened in text mode and goes out as UTF-8;"
            " open it in binary mode (with 'b' in its mode)",
            FileModeWarning,
            stacklevel=level_of_caller(),
        )
    return is_text


def _text_length(body: Any) -> int | None:
    start = position(body)
    if not isinstance(start, int) or not is_replayable(body):
        return None
    count = sum(map(len, chunks(body)))
    body.seek(start)
    return count


def _end(body: Any) -> int | None:
    """The position of a binary stream's end, counted from its beginning."""
    if isinstance(body, io.BufferedIOBase) and not isinstance(
        body, (io.BytesIO, io.BufferedReader, io.BufferedRandom)
    ):
        return None  # gzip, bz2, zipfile …: their descriptor tells the packed size
    if hasattr(body, "__len__"):
        return len(body)
    if hasattr(body, "len"):
        size: int | None = body.len
        return size
    size = _file_size(body)
    if size is None and hasattr(body, "seek") and hasattr(body, "tell"):
        try:
            start = body.tell()
            body.seek(0, os.SEEK_END)
            size = body.tell()
            body.seek(start)
        except OSError:
            return None
        return size
    # Files below /proc say 0 and have content. One look tells them from empty ones.
    if size == 0 and (not hasattr(body, "peek") or body.peek(1)):
        return None
    return size


def _file_size(body: Any) -> int | None:
    try:
        status = os.fstat(body.fileno())
    except (AttributeError, OSError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


# Sending again ------------------------------------------------------------------------------------


def position(body: Any) -> Any:
    """Where a stream stands now, for `rewind`; None where there is nothing to go back in.

    A stream that has a position but does not tell gives an object that `rewind` refuses.
    """
    tell = getattr(body, "tell", None)
    if tell is None:
        return None
    try:
        return tell()
    except OSError:
        return object()


def is_replayable(body: Any) -> bool:
    """True if the content can be sent a second time from where it started."""
    if not is_stream(body):
        return True
    if not hasattr(body, "seek"):
        return _is_reiterable(body)
    try:
        return bool(body.seekable()) if hasattr(body, "seekable") else body.tell() is not None
    except (AttributeError, OSError, ValueError):  # ValueError: it was closed
        return False


def rewind(body: Any, position: Any) -> None:
    """Make the content ready to be sent again.

    Args:
        position: what `position(body)` gave before it was first sent.

    Raises:
        UnrewindableBodyError: the stream cannot go back.
    """
    if not is_stream(body) or _is_reiterable(body):
        return
    if not isinstance(position, int) or not hasattr(body, "seek"):
        raise UnrewindableBodyError(
            f"sending the content again: {type(body).__name__} cannot be rewound,"
            " expected bytes or a file"
        )
    try:
        body.seek(position)
    except (OSError, ValueError) as error:
        raise UnrewindableBodyError(
            f"sending the content again: rewinding {type(body).__name__} failed"
        ) from error


def _is_reiterable(body: Any) -> bool:
    """True if iter() starts anew each time: a class of the user's, not a file or generator."""
    return hasattr(body, "__iter__") and not hasattr(body, "__next__") and not hasattr(body, "read")


# Sending ------------------------------------------------------------------------------------------


def chunks(body: Any, size: int = PIECE, *, declared: int | None = None) -> Iterator[bytes]:
    """The content in pieces, none empty; a file in pieces of `size`. Text is sent as UTF-8.

    A file that has grown is cut to its declared length, so that the message stays whole. What a
    caller's iterator raises passes untouched.

    Args:
        declared: the length in bytes that was promised, None if there was no promise.

    Raises:
        LocalProtocolError: there is less than declared, or an iterator has more. It is raised
            before anything that was not declared is handed out.
        TypeError: the content is, or gives, something that is not bytes or text.
    """
    if body is None or isinstance(body, (str, *_BYTES)):
        return _whole(_as_bytes(body or b""), declared)
    refuse_async(body)
    if hasattr(body, "read"):
        return _from_file(body, size, declared)
    if hasattr(body, "__iter__") and not isinstance(body, Mapping):
        return _from_iterable(body, declared)
    raise TypeError(
        f"sending content: got {type(body).__name__}, expected bytes, text, a file or an iterable"
    )


class Pieces:
    """As `chunks`, one piece after the other; of what is iterated over by `async for` too, where
    something can be awaited."""

    __slots__ = ("_pieces",)

    def __init__(self, body: Any, size: int = PIECE, *, declared: int | None = None) -> None:
        self._pieces: Any
        if is_async_stream(body):
            self._pieces = _from_async_iterable(body, declared)
        else:  # no generator of ours that waits: an event loop that ends would close it unseen
            self._pieces = chunks(body, size, declared=declared)

    @property
    def is_awaited(self) -> bool:
        """True if the next piece may be a long time coming, while others go on."""
        return hasattr(self._pieces, "__anext__")

    async def next(self) -> bytes | None:
        """The next piece; None if there is none.

        Raises:
            LocalProtocolError: it is not as long as was declared, or no bytes.
        """
        if self.is_awaited:
            piece: bytes | None = await anext(self._pieces, None)
            return piece
        return next(self._pieces, None)

    async def close(self) -> None:
        """No more: what makes them hears of it."""
        if hasattr(self._pieces, "aclose"):
            await self._pieces.aclose()
        elif hasattr(self._pieces, "close"):
            self._pieces.close()


async def _from_async_iterable(body: Any, declared: int | None) -> AsyncGenerator[bytes, None]:
    promise = _Promise(declared)
    async for item in body:
        if data := promise.check(item):
            yield data
    promise.end()


def _whole(data: bytes, declared: int | None) -> Iterator[bytes]:
    if declared is not None and len(data) != declared:
        raise _false_promise(str(len(data)), declared)
    return iter((data,) if data else ())


def _from_file(file: Any, size: int, declared: int | None) -> Iterator[bytes]:
    missing = declared
    while missing is None or missing > 0:
        data = _as_bytes(file.read(size if missing is None else min(size, missing)))
        if not data:
            break
        if missing is not None:
            data = data[:missing]
            missing -= len(data)
        yield data
    if missing and declared is not None:
        raise _false_promise(f"{declared - missing} (the file shrank)", declared)


def _from_iterable(body: Iterable[Any], declared: int | None) -> Iterator[bytes]:
    promise = _Promise(declared)
    for item in body:
        if data := promise.check(item):  # nothing would mean the end in chunked coding
            yield data
    promise.end()


class _Promise:
    """Counts what an iterator gives against the length that was declared for it."""

    def __init__(self, declared: int | None) -> None:
        self._declared = declared
        self._count = 0

    def check(self, item: Any) -> bytes:
        """`item` as bytes that may be sent."""
        data = _as_bytes(item)
        self._count += len(data)
        if self._declared is not None and self._count > self._declared:
            raise _false_promise(f"{self._count} or more", self._declared)
        return data

    def end(self) -> None:
        if self._declared is not None and self._count < self._declared:
            raise _false_promise(str(self._count), self._declared)


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode("utf-8")
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"sending content: got {type(data).__name__}, expected bytes or text")


def _false_promise(count: str, declared: int) -> LocalProtocolError:
    return LocalProtocolError(
        f"sending content: got {count} bytes, expected the {declared} of its declared length"
    )
