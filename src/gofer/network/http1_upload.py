"""Sending the content of an HTTP/1.1 request while watching for an early response.

A response may arrive before all content is sent (RFC 9112, 9.5). Then sending stops; it can go on
while the response is being read, and `Http1Content` does that if the response is a success.
"""

from typing import TYPE_CHECKING, Any

from gofer.exceptions import LocalProtocolError
from gofer.messages.content import Pieces
from gofer.messages.request import PreparedRequest
from gofer.protocols.http1_request import LAST_CHUNK, chunk

if TYPE_CHECKING:
    from gofer.network.http1 import Http1Connection

__all__ = ["Http1Upload"]

SEND_TOGETHER = 64 * 1024  # content up to this size goes out with the head
SENT_AT_ONCE = 4 * 1024  # bytes; no system has a smaller send buffer
SEND_PIECE = 256 * 1024  # an early response is noticed between two pieces
SEND_FILE_PIECE = 4 * 1024 * 1024  # the same where the system moves them


class Http1Upload:
    """What of a request has not been sent.

    Attributes:
        has_failed: the OSError was that of the content itself, not of the connection.

    Args:
        head: goes first, with the first piece if that is small; b"" if it has gone.
        body: bytes, a file, an iterator; as in `PreparedRequest`.
    """

    __slots__ = (
        "_connection", "_content", "_end", "_file", "_head", "_is_chunked", "_is_first",
        "_offset", "_request", "_rest", "has_failed",
    )  # fmt: skip

    def __init__(
        self, connection: "Http1Connection", request: PreparedRequest, head: bytes, body: Any
    ) -> None:
        self._connection = connection
        self._request = request
        self._head = head
        self._is_chunked = "transfer-encoding" in request.sent_headers
        self._is_first = True
        self.has_failed = False
        self._rest = memoryview(b"")  # of the piece that is being sent
        self._file: Any = None
        self._content: Pieces | None = None
        length = None if self._is_chunked else int(request.sent_headers["content-length"])
        if length and hasattr(connection.stream, "send_file") and _is_plain_file(body):
            self._file = body
            self._offset = body.tell()
            self._end = self._offset + length
        else:
            self._content = Pieces(body, SEND_PIECE, declared=length)

    async def send(self) -> bool:
        """Send what is left. False if the peer sends something before all is sent.

        Raises:
            TimedOut: the peer takes nothing.
            OSError: the connection broke.
        """
        stream = self._connection.stream
        while True:
            while self._rest:
                if not self._is_first and stream.is_readable():
                    return False
                self._is_first = False
                count = await stream.send_some(self._rest[:SEND_PIECE], self._deadline())
                if not count:
                    return False
                # The peer may have read of it. If sending a little fails at once, nothing has been
                # sent: a send buffer that is empty takes it whole or not at all.
                self._connection.begun = True
                self._rest = self._rest[count:]
            if self._file is not None and not self._head:
                if not await self._send_file(stream):
                    return False
                continue
            if not await self._next():
                return True

    async def _next(self) -> bool:
        """Have something to send; False if that was all."""
        data = b""
        if self._content is not None:
            try:
                piece = await self._connection.next_piece(self._content, self._request)
            except OSError:
                self.has_failed = True
                raise
            if piece is not None:
                data = chunk(piece) if self._is_chunked else piece
            else:
                self._content = None
                data = LAST_CHUNK if self._is_chunked else b""
        if self._head:
            head, self._head = self._head, b""
            if len(data) > SEND_TOGETHER:
                await self._send_first(head)
            else:
                data = head + data
        self._rest = memoryview(data)
        return bool(data)

    async def _send_first(self, head: bytes) -> None:
        """The head alone, before content that is not copied behind it."""
        if len(head) > SENT_AT_ONCE:
            self._connection.begun = True
        await self._connection.stream.send(head, self._deadline())
        self._connection.begun = True
        self._is_first = False

    async def _send_file(self, stream: Any) -> bool:
        """Content straight from the file to the socket, by the operating system."""
        while self._offset < self._end:
            if stream.is_readable():
                return False
            count = min(self._end - self._offset, SEND_FILE_PIECE)
            sent = await stream.send_file(self._file, self._offset, count, self._deadline())
            if sent < 0:
                return False
            if sent == 0:
                raise LocalProtocolError(
                    f"sending a file: it ended {self._end - self._offset} bytes before its"
                    " Content-Length; it must not change while it is sent"
                )
            self._offset += sent
        self._file.seek(self._offset)
        self._file = None
        return True

    def _deadline(self) -> float | None:
        request = self._request
        return self._connection.deadline_for(request, request.settings.timeouts.write)

    async def close(self) -> None:
        """Send no more, and close what the content comes from."""
        content, self._content = self._content, None
        if content is not None:
            await content.close()


def _is_plain_file(body: Any) -> bool:
    """True for a file of the operating system opened for bytes, which can be sent as it is."""
    from io import BufferedReader, FileIO

    return type(body) in (BufferedReader, FileIO)
