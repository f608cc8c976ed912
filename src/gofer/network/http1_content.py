"""The content of an HTTP/1.1 response that did not come whole: read when somebody wants it."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from gofer.exceptions import (
    BodyReadTimeout,
    IncompleteContent,
    RequestException,
    WriteTimeout,
)
from gofer.messages.request import PreparedRequest
from gofer.network.endings import keep, when_dropped
from gofer.protocols.http1 import LENGTH
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from gofer.network.http1 import Http1Connection
    from gofer.network.http1_upload import Http1Upload

__all__ = ["ABANDONED", "RECEIVE", "Http1Content"]

RECEIVE = 64 * 1024  # bytes; a small answer, head and content, comes in one piece
RECEIVE_LARGE = 1024 * 1024
LAST_WORD = 1.0  # seconds for the response of a peer that has stopped reading the request
GLANCE = 0.02  # seconds to find out whether what arrived is a response or a TLS record of its own

EARLY_ANSWER = "the server answered before it had the whole request"
ABANDONED = "the response was closed before its end"  # why its connection is not kept


class Http1Content:
    """The content of a response that has not arrived whole yet: a response's source.

    Attributes:
        outlives_cancelling: whoever is cancelled while he waits may wait again.

    Args:
        upload: what of the request has not been sent; whoever reads sends it.
    """

    __slots__ = (
        "__weakref__", "_connection", "_ending", "_request", "_trailers", "_upload", "has_length",
        "outlives_cancelling", "run",
    )  # fmt: skip

    def __init__(
        self,
        connection: "Http1Connection",
        request: PreparedRequest,
        upload: "Http1Upload | None" = None,
    ) -> None:
        self._upload = upload
        self._connection: Http1Connection | None = connection
        # Here and not in Response: most responses come whole and have no source. Not `__del__`: in
        # a cycle the socket's own could come first, and complain.
        self._ending = when_dropped(self, connection.close, ABANDONED)
        self._request = request
        self._trailers: list[tuple[bytes, bytes]] = []
        self.outlives_cancelling = False
        self.has_length = connection.reader.framing is LENGTH
        self.run = connection.runtime.run

    @property
    def wire(self) -> Any:
        """The `Stream` that it comes over; None at its end."""
        connection = self._connection
        return None if connection is None else connection.stream

    async def receive(self) -> bytes:
        """The next piece as it came, b"" at the end.

        Raises:
            BodyReadTimeout, DeadlineExceeded, ChunkedEncodingError, IncompleteContent.
        """
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        while not reader.pieces and not reader.complete:
            await self._more(connection, RECEIVE)
        pieces = reader.take_pieces()
        if reader.complete:
            self._end(connection)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def receive_exactly(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; content without a known length as it comes."""
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        if reader.framing is not LENGTH or self._upload is not None:
            return await self.receive()
        content = BytesIO()  # as in `receive_all`
        for piece in reader.take_pieces():
            content.write(piece)
        while not reader.complete and content.tell() < size:
            await self._receive_into(connection, content, size - content.tell())
        if reader.complete:
            self._end(connection)
        return content.getvalue()

    async def receive_all(self) -> bytes:
        """All that is left. Known length or not, memory grows with what has come."""
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        # Grows in place and hands its bytes over without a copy: 200 MB take 0.97 of the time of
        # recv_into one buffer; pieces and a join 1.9, and twice the memory.
        content = BytesIO()
        while True:
            for piece in reader.take_pieces():
                content.write(piece)
            if reader.complete:
                break
            if reader.framing is LENGTH and self._upload is None:
                await self._receive_into(connection, content, RECEIVE_LARGE)
            else:
                await self._more(connection, RECEIVE)
        self._end(connection)
        return content.getvalue()

    async def _receive_into(
        self, connection: "Http1Connection", content: BytesIO, most: int
    ) -> None:
        """The next `most` bytes of content with a known length, up to a MiB, without a copy.

        No room is made beyond that: a Content-Length is only a promise.
        """
        reader = connection.reader
        start = content.tell()
        end = start + min(reader.remaining, most, RECEIVE_LARGE)
        content.seek(end - 1)
        content.write(b"\0")
        with content.getbuffer() as whole:
            while start < end:
                with whole[start:end] as room:
                    start += await self._more(connection, 0, into=room)

    async def drain(self, max_bytes: int, seconds: float) -> bytes | None:
        """All that is left if it is at most `max_bytes` and comes in time; else None."""
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        if self._upload is not None or (reader.framing is LENGTH and reader.remaining > max_bytes):
            return None
        until = connection.runtime.now() + seconds
        count = sum(map(len, reader.pieces))
        while not reader.complete:
            before = len(reader.pieces)
            try:
                await self._more(connection, RECEIVE, until)
            except (OSError, TimedOut):
                return None
            count += sum(map(len, reader.pieces[before:]))
            if count > max_bytes:
                return None
        content = b"".join(reader.pieces)
        self._end(connection)
        return content

    async def _more(
        self,
        connection: "Http1Connection",
        size: int,
        until: float | None = None,
        *,
        into: memoryview | None = None,
    ) -> int:
        """One read from the connection, with errors that name what happened to the content.

        Args:
            into: where content of known length goes, past the reader; the result is how much.
        """
        reader, request = connection.reader, self._request
        try:
            while self._upload is not None:
                if await self._send_more(self._upload, connection):
                    return 0
            deadline = connection.deadline_for(request, request.settings.timeouts.read)
            if connection.broken is not None:
                until = connection.runtime.now() + LAST_WORD
            if until is not None and (deadline is None or until < deadline):
                deadline = until
            if into is None:
                connection.feed(await connection.stream.receive(size, deadline))
                return 0
            count = await connection.stream.receive_into(into, deadline)
            if count:
                reader.took(count)
            else:
                reader.eof()
            return count
        except TimedOut:
            if connection.broken is not None:
                self.abort()
                raise IncompleteContent(
                    f"{reader.peer}: the connection broke while the request was being sent:"
                    f" {connection.broken.strerror or connection.broken}"
                ) from connection.broken
            error = connection.timed_out(
                BodyReadTimeout, "read", request,
                "in the middle of the content"
                + (f", {reader.remaining} bytes missing" if reader.framing is LENGTH else ""),
            )  # fmt: skip
            self.abort()
            raise error from None
        except RequestException:
            self.abort()
            raise
        except OSError as error:
            is_callers = self._upload is not None and self._upload.has_failed
            self.abort()
            if is_callers:
                raise
            missing = f", {reader.remaining} bytes missing" if reader.framing is LENGTH else ""
            raise IncompleteContent(
                f"{reader.peer}: the connection broke in the middle of the content{missing}:"
                f" {error.strerror or error}"
            ) from error
        except Exception:
            self.abort()
            raise
        except BaseException:
            if self._upload is not None or not self.outlives_cancelling:
                self.abort()
            raise

    async def _send_more(self, upload: "Http1Upload", connection: "Http1Connection") -> bool:
        """Go on sending the request until the peer sends something; True if that was content."""
        request = self._request
        is_done = True
        try:
            is_done = await upload.send()
        except TimedOut:
            raise connection.timed_out(
                WriteTimeout, "write", request, "sending the rest of the request"
            ) from None
        except OSError as error:
            if upload.has_failed or isinstance(error, RequestException):
                raise
            connection.closing = EARLY_ANSWER  # it reads no more, but may go on responding
            connection.broken = error
            await upload.close()
        if is_done:
            self._upload = None
            return False
        try:
            data = await connection.stream.receive(
                RECEIVE, connection.deadline_for(request, GLANCE)
            )
        except TimedOut:
            return False  # a TLS record without content, such as a session ticket
        connection.feed(data)
        return True

    def _end(self, connection: "Http1Connection") -> None:
        try:
            self._connection = None
            keep(self._ending)
            if self._upload is not None:
                self._upload = None
                connection.closing = EARLY_ANSWER
            self._trailers = connection.reader.trailers
            connection.finish(self._request, connection.runtime.now())
        except BaseException:
            connection.close(ABANDONED)
            raise

    def take_trailers(self) -> list[tuple[bytes, bytes]]:
        return self._trailers

    def abort(self) -> None:
        """Close the connection; what has not been read is lost."""
        connection = self._connection
        if connection is not None:
            connection.close(ABANDONED)
            keep(self._ending)
            self._connection = None
