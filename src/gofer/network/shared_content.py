"""The content of a shared connection's response, if it did not come whole: read when wanted."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from gofer.exceptions import BodyReadTimeout, WriteTimeout
from gofer.messages.request import PreparedRequest
from gofer.network.endings import keep, when_dropped
from gofer.protocols.streams import ResponseStream
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from gofer.network.shared import SharedConnection
    from gofer.network.shared_upload import SharedUpload

__all__ = ["SharedContent", "has_news"]


class SharedContent:
    """A response's source on a stream of a connection that others share.

    Attributes:
        outlives_cancelling: as of `Http1Content`.

    Args:
        upload: what of the request has not been sent; whoever reads sends it.
    """

    __slots__ = (
        "__weakref__", "_connection", "_ending", "_request", "_stream", "_trailers", "_upload",
        "has_length", "outlives_cancelling", "run",
    )  # fmt: skip

    def __init__(
        self,
        connection: "SharedConnection",
        stream: ResponseStream,
        request: PreparedRequest,
        upload: "SharedUpload | None" = None,
    ) -> None:
        self._upload = upload
        self._connection: SharedConnection | None = connection
        self._stream = stream
        self._ending = when_dropped(self, connection.abandon, stream)
        self._request = request
        self._trailers: Sequence[tuple[bytes, bytes]] = ()
        self.outlives_cancelling = False
        self.has_length = bool(stream.fields and stream.fields.has(b"content-length"))
        self.run = connection.runtime.run

    @property
    def wire(self) -> Any:
        """The `Stream` that it comes over; None at its end."""
        connection = self._connection
        return None if connection is None else connection.stream

    async def receive(self) -> bytes:
        """The next piece as it came, b"" at the end.

        Raises:
            BodyReadTimeout, DeadlineExceeded, IncompleteContent, RemoteProtocolError.
        """
        pieces = await self._receive_pieces()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _receive_pieces(self) -> list[bytes]:
        """What has come, at least one byte; none at the end. Raises as `receive`."""
        connection, stream = self._connection, self._stream
        if connection is None:
            return []
        try:
            while not stream.pieces:
                if stream.complete:
                    self._end(connection)
                    return []
                await self._more(connection)
            return connection.take_pieces(stream)
        except BaseException as error:
            may_go_on = self.outlives_cancelling and self._upload is None
            if isinstance(error, Exception) or not may_go_on:
                self.abort()
            connection.interrupted(error, self._upload)
            raise

    async def receive_exactly(self, size: int) -> bytes:
        """The next `size` bytes as far as they came in one go; fewer at the end."""
        content = BytesIO()
        while content.tell() < size and (piece := await self.receive()):
            content.write(piece)
        return content.getvalue()

    async def receive_all(self) -> bytes:
        """All that is left."""
        content = BytesIO()  # as in `Http1Content.receive_all`
        while pieces := await self._receive_pieces():
            content.writelines(pieces)
        return content.getvalue()

    async def drain(self, max_bytes: int, seconds: float) -> bytes | None:
        """All that is left if it is at most `max_bytes` and comes in time; else None."""
        connection = self._connection
        if connection is None:
            return b""
        if self._upload is not None:
            return None
        until = connection.runtime.now() + seconds
        content = BytesIO()
        while content.tell() <= max_bytes:
            try:
                while not (self._stream.pieces or self._stream.is_over):
                    await connection.until(self._stream, has_news, until)
                piece = await self.receive()
            except (OSError, TimedOut):
                return None
            if not piece:
                return content.getvalue()
            content.write(piece)
        return None

    async def _more(self, connection: "SharedConnection") -> None:
        """Wait for news of the stream, with errors that name what happened to the content."""
        request = self._request
        try:
            if self._upload is not None:
                if not await self._sent_all(self._upload, connection):
                    return
                self._upload = None
            deadline = connection.deadline_for(request, request.settings.timeouts.read)
            await connection.until(self._stream, has_news, deadline)
            if self._stream.error_code is not None and not self._stream.pieces:
                raise connection.incomplete(self._stream, request)
        except TimedOut:
            raise connection.timed_out(
                BodyReadTimeout, "read", request, "in the middle of the content"
            ) from None

    async def _sent_all(self, upload: "SharedUpload", connection: "SharedConnection") -> bool:
        """Go on with the request until there is news of the answer; True if all has been sent."""
        try:
            return await upload.send(has_news)
        except TimedOut:
            raise connection.timed_out(
                WriteTimeout, "write", self._request, "sending the rest of the request"
            ) from None

    def _end(self, connection: "SharedConnection") -> None:
        self._trailers = self._stream.trailers
        connection.end(self._stream)
        keep(self._ending)
        self._connection = None

    def take_trailers(self) -> Sequence[tuple[bytes, bytes]]:
        return self._trailers

    def abort(self) -> None:
        """End the stream; what has not been read is lost. The connection goes on."""
        connection = self._connection
        if connection is not None:
            connection.break_off(self._stream)
            keep(self._ending)
            self._connection = None


def has_news(stream: ResponseStream) -> bool:
    """True if content has come, or none will."""
    return bool(stream.pieces) or stream.is_over
