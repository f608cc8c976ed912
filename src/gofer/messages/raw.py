"""`Response.raw`: content as a file-like object, in the manner of urllib3's response.

Bytes come as they were received; with `decode_content=True` they are decoded by Content-Encoding.
It has the public names of urllib3's `HTTPResponse`, and those below it that libraries use (see
`original.py`).
"""

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gofer.messages.fields import Headers
from gofer.messages.original import Original, connection_of
from gofer.messages.reading import PIECE, Reading, Received, Source

if TYPE_CHECKING:
    from gofer.messages.response import Response

__all__ = ["RawContent"]


class _FileSource(Received):
    """A file that somebody put in the place of ours, as the source of content."""

    def __init__(self, file: Any) -> None:
        super().__init__(b"")
        self._file = file
        # Ours says what is there; of another one only `read` is known to be its own.
        self._read = file.read1 if type(file) is Original else file.read

    async def receive(self) -> bytes:
        return self._read(PIECE)

    def abort(self) -> None:
        self._file.close()


class _GivenDecoder:
    """A decoder that somebody put in the place of ours: urllib3's, or one like it."""

    pending = False

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        del max_bytes
        return self._decoder.decompress(data)  # type: ignore[no-any-return]

    def finish(self) -> None:
        self._decoder.flush()


_VERSIONS = {"HTTP/2": 20, "HTTP/3": 30}  # as urllib3 counts them


class RawContent(io.IOBase):
    """The rest of a response's content as a readable, not seekable file.

    Attributes:
        auto_close: it counts as closed when it is read; with False, which wrappers of the `io`
            module need, when `close` is called.
        chunked: it came in chunks, which nobody sees who reads here.
    """

    REDIRECT_STATUSES = (301, 302, 303, 307, 308)
    auto_close = True
    enforce_content_length = True

    def __init__(self, response: "Response") -> None:
        self._response = response
        self._buffer = bytearray()
        self._ended = False
        self._is_closed = False
        self._reading: Reading | None = None
        self._file: Any = None
        self._given_decoder: Any = None
        self._body: bytes | None = None
        self._position = 0
        self.decode_content = False
        self.status = response.status_code
        self.reason = response.reason
        self.version = _VERSIONS.get(response.version, 11)
        if self.version == 11 and response.fields.block.startswith(b"HTTP/1.0"):
            self.version = 10
        self.version_string = f"HTTP/{self.version / 10}"
        self.headers = self.msg = response.headers
        self.chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        length = self.headers.get("Content-Length", "")
        self._length = int(length) if length.isdecimal() else None
        if self.status in (204, 304) or getattr(response.request, "method", None) == "HEAD":
            self._length = 0
        self._original_response = Original(self)
        self.url = self._request_url = response.url

    # Reading ------------------------------------------------------------------------------------

    def read(
        self,
        amt: int | None = None,
        decode_content: bool | None = None,
        cache_content: bool = False,
    ) -> bytes:
        """At most `amt` bytes, or all of it with None; b"" at the end.

        Args:
            cache_content: what is read will be `data`.
        """
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
        if cache_content:
            self._body = data
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

    read_chunked = stream

    @property
    def data(self) -> bytes:
        """All that is left; the same when it is asked for again."""
        return self.read(cache_content=True) if self._body is None else self._body

    def json(self) -> Any:
        """The value of JSON in UTF-8."""
        return json.loads(self.data)

    def readline(self, limit: int | None = -1) -> bytes:
        """One line with its end, b"" at the end of the content."""
        limit = -1 if limit is None else limit
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
                if decode and self._given_decoder is not None:
                    self._reading._decoder = _GivenDecoder(self._given_decoder)
            elif self._is_read:
                return b""  # it was read, handed out or let go of
            else:
                self._reading = response._begin_waiting(decode=decode)
            if self._reading is None:
                return b""
        return self._reading.source.run(self._reading.next())  # type: ignore[no-any-return]

    # What stands below --------------------------------------------------------------------------

    @property
    def _fp(self) -> Any:
        """The file below, which urllib3 calls so; caches put theirs in its place, to read along."""
        return self._original_response if self._file is None else self._file

    @_fp.setter
    def _fp(self, file: Any) -> None:
        self._original_response.take()
        self._file = file
        self._reading = None
        self._ended = False
        self._buffer.clear()

    @property
    def _decoder(self) -> Any:
        """What decodes; downloaders put theirs in its place, to see what came."""
        return self._given_decoder

    @_decoder.setter
    def _decoder(self, decoder: Any) -> None:
        self._original_response.take()  # whoever asks the response reads here from now on
        self._given_decoder = decoder

    def _hand_over(self) -> Source:
        """The source of the content, for `Original`: the response has it no more, and asks here."""
        response, reading = self._response, self._reading
        if reading is not None:
            source = reading.source
        else:
            self._file = self._original_response
            if self._is_read:
                return Received(b"")
            whole = response._received if response._received is not None else response._content
            source = response._source or Received(whole or b"")
        response._source = response._received = None
        response._content, response._content_consumed = False, False
        return source

    @property
    def _connection(self) -> Any:
        """urllib3's connection, while there is something to read."""
        return None if self.closed else connection_of(self, self._original_response)

    @property
    def connection(self) -> Any:
        return self._connection

    @property
    def _wire(self) -> Any:
        """The stream that content comes over; None if it has come."""
        source = self._response._source or self._original_response._source
        return getattr(source, "wire", None)

    @property
    def retries(self) -> Any:
        """The policy of retries, as a `Retry`. Its `history` is empty: gofer keeps none."""
        return getattr(self._response, "_retries", None)

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
        if self._is_closed or not self.auto_close:
            return self._is_closed
        if self._buffer:
            return False
        if self._ended or self._reading is not None:
            return self._ended
        return self._is_read if self._file is None else bool(getattr(self._file, "closed", False))

    @property
    def _is_read(self) -> bool:
        """True if the content was read, handed out or let go of, by whomever."""
        if self._reading is not None:
            return self._ended
        return self._response._content_consumed or self._response._is_closed

    def isclosed(self) -> bool:
        return self.closed

    def close(self) -> None:
        """Let go of the connection."""
        self._buffer.clear()
        self._ended = self._is_closed = True
        source = self._response._source
        if source is not None:
            self._response._source = None
            source.abort()
        if self._file is not None:
            self._file.close()

    shutdown = close

    def flush(self) -> None:
        """Nothing is ever held back."""

    def __del__(self) -> None:
        """Not as `io` has it: a source that is dropped lets go by itself, and takes no lock."""

    def release_conn(self) -> None:
        """Give the connection back if the content is read; otherwise it is closed."""
        if self._response._source is not None:
            self.close()

    def drain_conn(self) -> None:
        """Read what is left, if it is little, so that the connection can be kept."""
        source = self._response._source
        if source is not None:
            source.run(self._response.discard())

    @property
    def length_remaining(self) -> int | None:
        """Bytes of the content that have not been read here; None if that is not known."""
        if self.closed:
            return 0
        return None if self._length is None else max(0, self._length - self._position)

    @length_remaining.setter
    def length_remaining(self, value: int | None) -> None:
        self._length, self._position = value, 0

    @property
    def chunk_left(self) -> int | None:
        """Bytes that can be read without waiting, of content that came in chunks."""
        return self._original_response.chunk_left

    def supports_chunked_reads(self) -> bool:
        return True

    def _update_chunk_length(self) -> None:
        """Nothing to do: caches put a step of theirs in its place."""

    def get_redirect_location(self) -> Any:
        """Where a redirect leads, None if it does not say; False if it is none."""
        return self.headers.get("Location") if self.status in self.REDIRECT_STATUSES else False

    def geturl(self) -> str:
        return self.url

    def info(self) -> Headers:
        return self.headers

    def getheaders(self) -> Headers:
        return self.headers

    def getheader(self, name: str, default: Any = None) -> Any:
        return self.headers.get(name, default)

    def __enter__(self) -> "RawContent":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
