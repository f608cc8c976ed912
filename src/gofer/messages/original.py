"""What third parties look for below `Response.raw`: http.client's response, its file, its socket.

    raw._fp, raw._original_response     `Original`, as http.client's response
    raw._fp.fp                          the same, as the buffered file which that one reads
    raw._fp.fp.raw._sock                `Socket`
    raw._connection.sock                the same

Content is read here as it came, but for the framing of chunks. State: `Original` holds what a
reader left of a piece.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gofer.messages.fields import Headers

if TYPE_CHECKING:
    from gofer.messages.raw import RawContent
    from gofer.messages.reading import Source

__all__ = ["Original", "Socket", "connection_of"]


class Original:
    """http.client's response, and its file: the rest of the content, not decoded.

    Nothing is taken from `raw` before somebody reads here.
    """

    def __init__(self, raw: "RawContent") -> None:
        self._raw = raw
        self._source: Source | None = None
        self._buffer = b""
        self._is_at_end = False
        self.status, self.reason, self.version = raw.status, raw.reason, raw.version
        self.headers = self.msg = raw.headers
        self.chunked = raw.chunked

    def take(self) -> "Source":
        """The source of the content, which is read from here from now on."""
        if self._source is None:
            self._source = self._raw._hand_over()
        return self._source

    # The file -----------------------------------------------------------------------------------

    @property
    def fp(self) -> "Original | None":
        """The file: None when it is read or closed, which is how urllib3's users find out."""
        return None if self.closed else self

    @property
    def raw(self) -> "Socket":
        """What the file reads from."""
        return Socket(self._raw, self)

    def read(self, amt: int | None = None) -> bytes:
        """At most `amt` bytes, or all of it with None; b"" at the end."""
        pieces = [self._buffer]
        size = len(self._buffer)
        while (amt is None or size < amt) and (piece := self._next_piece()):
            pieces.append(piece)
            size += len(piece)
        data = b"".join(pieces)
        end = len(data) if amt is None else amt
        self._buffer = data[end:]
        return data[:end]

    def read1(self, amt: int | None = None) -> bytes:
        """What is there, at most `amt` bytes, after waiting for something at most once."""
        data = self._buffer or self._next_piece()
        end = len(data) if amt is None or amt < 0 else amt
        self._buffer = data[end:]
        return data[:end]

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next_piece(self) -> bytes:
        source = self.take()
        if self._is_at_end:
            return b""
        try:
            piece: bytes = source.run(source.receive())
        except BaseException:
            self.close()  # a piece may be lost
            raise
        self._is_at_end = not piece
        return piece

    @property
    def closed(self) -> bool:
        if self._source is None:
            return self._raw._is_read
        return self._is_at_end and not self._buffer

    def isclosed(self) -> bool:
        return self.closed

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Let go of the connection."""
        self._is_at_end = True
        self._buffer = b""
        self.take().abort()

    # The response -------------------------------------------------------------------------------

    @property
    def chunk_left(self) -> int | None:
        """Bytes that can be read without waiting; None if there are none, or no chunks."""
        left = len(self._buffer) or len(self._raw._buffer)
        return left if self.chunked and left else None

    @property
    def length(self) -> int | None:
        """Bytes to come; None if that is not known."""
        return self._raw.length_remaining

    def getheader(self, name: str, default: Any = None) -> Any:
        return self.headers.get(name, default)

    def getheaders(self) -> list[tuple[str, str]]:
        return list(self.headers.items())

    def info(self) -> Headers:
        return self.headers


class Socket:
    """The socket below, as far as it makes sense where others may share the connection."""

    def __init__(self, raw: "RawContent", original: Original) -> None:
        self._raw = raw
        self.recv = self.read = original.read1
        self.readinto = self.recv_into = original.readinto

    @property
    def _sock(self) -> "Socket":
        return self

    def settimeout(self, value: float | None) -> None:
        """The longest silence in the rest of the content, seconds; None for no limit."""
        request = self._raw._response.request
        settings = request.settings
        request.settings = settings.replace(timeouts=settings.timeouts.replace(read=value))

    def gettimeout(self) -> float | None:
        """The same."""
        return self._raw._response.request.settings.timeouts.read  # type: ignore[no-any-return]

    def fileno(self) -> int:
        """The descriptor, to wait with.

        Raises:
            OSError: the content has come whole, and the connection is not ours any more.
        """
        return self._wire.fileno()  # type: ignore[no-any-return]

    def getpeername(self) -> Any:
        """The address of the peer. Raises as `fileno`."""
        return self._wire.peer_address()

    @property
    def _wire(self) -> Any:
        wire = self._raw._wire
        if wire is None:
            raise OSError("the content has come, and its connection is free again")
        return wire

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The certificate as `ssl.SSLSocket` has it; None without TLS."""
        tls = self._raw._response.tls
        if tls is None:
            return None
        return tls.certificate if binary_form else tls.subject

    def shutdown(self, how: int = 2) -> None:
        """Wake whoever reads, and let go of the connection."""
        del how
        self._raw.close()

    def close(self) -> None:
        """The same."""
        self._raw.close()


def connection_of(raw: "RawContent", original: Original) -> Any:
    """What of urllib3's connection is asked for: `sock`, `close()`."""
    return SimpleNamespace(sock=Socket(raw, original), close=raw.close)
