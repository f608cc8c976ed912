"""`Response.raw`: content as a file-like object, in the manner of urllib3's response.

Bytes come as they were received; with `decode_content=True` they are decoded by Content-Encoding.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gofer.messages.fields import Headers
from gofer.messages.reading import PIECE, Reading, Received, Source

if TYPE_CHECKING:
    from gofer.messages.response import Response

__all__ = ["RawContent"]


class _OriginalResponse:
    """What third parties ask of http.client's response: its message, and whether it is closed."""

    def __init__(self, raw: "RawContent") -> None:
        self._raw = raw

    @property
    def msg(self) -> Headers:
        return self._raw.headers

    def isclosed(self) -> bool:
        return self._raw.closed

    def close(self) -> None:
        self._raw.close()


class _Undecoded:
    """The rest of a response's content as it comes, as a file that only reads."""

    def __init__(self, response: "Response") -> None:
        self._source = _taken_from(response)
        self._buffer = b""
        self.closed = response._content_consumed or response._is_closed

    def read(self, amt: int | None = None) -> bytes:
        """At most `amt` bytes, or all of it with None; b"" at the end."""
        pieces = [self._buffer]
        size = len(self._buffer)
        try:
            while not self.closed and (amt is None or size < amt):
                piece = self._source.run(self._source.receive())
                self.closed = not piece
                pieces.append(piece)
                size += len(piece)
        except BaseException:
            self.close()  # a piece may be lost
            raise
        data = b"".join(pieces)
        end = len(data) if amt is None else amt
        self._buffer = data[end:]
        return data[:end]

    def close(self) -> None:
        """Let go of the connection."""
        self._source.abort()
        self.closed = True


def _taken_from(response: "Response") -> Source:
    """The source of its content, which the response has no more: ours is read from `raw` then."""
    if response._content_consumed or response._is_closed:
        return Received(b"")
    source = response._source
    if source is None:
        whole = response._received if response._received is not None else response._content
        source = Received(whole or b"")
    response._source = response._received = None
    response._content = False
    return source


class _FileSource(Received):
    """A file that somebody put in the place of ours, as the source of content."""

    def __init__(self, file: Any) -> None:
        super().__init__(b"")
        self._file = file

    async def receive(self) -> bytes:
        return self._file.read(PIECE)  # type: ignore[no-any-return]

    def abort(self) -> None:
        self._file.close()


_VERSIONS = {"HTTP/2": 20, "HTTP/3": 30}  # as urllib3 counts them


class RawContent:
    """The rest of a response's content as a readable, not seekable file."""

    chunked = False  # what is read here has no chunks any more

    def __init__(self, response: "Response") -> None:
        self._response = response
        self._buffer = bytearray()
        self._ended = False
        self._reading: Reading | None = None
        self._file: Any = None
        self._position = 0
        self.decode_content = False
        self.status = response.status_code
        self.reason = response.reason
        self.version = _VERSIONS.get(response.version, 11)
        if self.version == 11 and response.fields.block.startswith(b"HTTP/1.0"):
            self.version = 10
        self.headers = response.headers
        self._original_response = _OriginalResponse(self)
        self._request_url = response.url

    # Reading ------------------------------------------------------------------------------------

    def read(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """At most `amt` bytes, or all of it with None; b"" at the end."""
        if amt is not None and amt < 0:
            amt = None
        while not self._ended and (amt is None or len(self._buffer) < amt):
            piece = self._next_piece(bool(decode_content))
            if not piece:
                self._ended = True
                break
            self._buffer += piece
        size = len(self._buffer) if amt is None else amt
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._position += len(data)
        return data

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """What is there, at most `amt` bytes, after waiting for something at most once."""
        if not self._buffer and not self._ended:
            piece = self._next_piece(bool(decode_content))
            self._ended = not piece
            self._buffer += piece
        size = len(self._buffer) if amt is None or amt < 0 else amt
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def stream(
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Iterator[bytes]:
        """Pieces of at most `amt` bytes until the end."""
        while data := self.read1(amt, decode_content):
            yield data

    def readline(self, limit: int = -1) -> bytes:
        """One line with its end, b"" at the end of the content."""
        while b"\n" not in self._buffer and not self._ended:
            if 0 <= limit <= len(self._buffer):
                break
            piece = self._next_piece(self.decode_content)
            self._ended = not piece
            self._buffer += piece
        end = self._buffer.find(b"\n") + 1 or len(self._buffer)
        return self.read(end if limit < 0 else min(end, limit))

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _next_piece(self, decode: bool) -> bytes:
        """The next piece; whether it is decoded is decided by the first read."""
        if self._reading is None:
            response, decode = self._response, decode or self.decode_content
            if self._file is not None:
                self._reading = Reading(response, _FileSource(self._file), decode=decode)
            elif response._content_consumed or response._is_closed:
                return b""  # it was read, handed out or let go of
            else:
                self._reading = response._begin_waiting(decode=decode)
            if self._reading is None:
                return b""
        return self._reading.source.run(self._reading.next())  # type: ignore[no-any-return]

    @property
    def _fp(self) -> Any:
        """The file below, which urllib3 calls so; caches put theirs in its place, to read along."""
        if self._file is None:
            self._file = _Undecoded(self._response)
        return self._file

    @_fp.setter
    def _fp(self, file: Any) -> None:
        self._file = file
        self._reading = None
        self._ended = False
        self._buffer.clear()

    # A file's other questions ---------------------------------------------------------------------

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    @property
    def closed(self) -> bool:
        if self._buffer:
            return False
        if self._ended or self._reading is not None:
            return self._ended
        response = self._response
        return response._source is None and response._received is None

    def isclosed(self) -> bool:
        return self.closed

    def close(self) -> None:
        """Let go of the connection."""
        self._buffer.clear()
        self._ended = True
        source = self._response._source
        if source is not None:
            self._response._source = None
            source.abort()

    def release_conn(self) -> None:
        """Give the connection back if the content is read; otherwise it is closed."""
        if self._response._source is not None:
            self.close()

    def drain_conn(self) -> None:
        """Read what is left, if it is little, so that the connection can be kept."""
        source = self._response._source
        if source is not None:
            source.run(self._response.discard())

    def getheaders(self) -> Headers:
        return self.headers

    def getheader(self, name: str, default: Any = None) -> Any:
        return self.headers.get(name, default)

    def __enter__(self) -> "RawContent":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
