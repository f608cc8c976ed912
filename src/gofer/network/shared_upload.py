"""The content of a request on a shared connection, sent as the peer's windows allow.

As `Http1Upload`, on one stream of many.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gofer.messages.content import Pieces
from gofer.messages.request import PreparedRequest
from gofer.protocols.streams import ResponseStream

if TYPE_CHECKING:
    from gofer.network.shared import SharedConnection

__all__ = ["SharedUpload"]

PIECE = 64 * 1024  # bytes of content that are queued at a time


class SharedUpload:
    """What of a request has not been sent. Args as `Http1Upload`.

    Attributes:
        has_failed: it was the caller's content that raised.
    """

    __slots__ = ("_connection", "_content", "_request", "_rest", "_stream", "has_failed")

    def __init__(
        self,
        connection: "SharedConnection",
        stream: ResponseStream,
        request: PreparedRequest,
        body: Any,
    ) -> None:
        length = request.sent_headers.get("content-length")
        declared = None if length is None else int(length)
        self._connection = connection
        self._stream = stream
        self._request = request
        self._content: Pieces | None = Pieces(body, PIECE, declared=declared)
        self._rest = memoryview(b"")
        self.has_failed = False

    async def send(self, has_news: Callable[[ResponseStream], bool]) -> bool:
        """Send what is left. False if `has_news` of the stream before it all has gone.

        True too if the peer wants no more of it.

        Raises:
            TimedOut: the peer takes nothing.
            RequestException: the connection failed.
        """
        connection, stream = self._connection, self._stream
        while self._content is not None and not (stream.is_over or stream.is_deaf):
            if has_news(stream):
                return False
            if not self._rest:
                try:
                    piece = await connection.next_piece(self._content, self._request)
                except BaseException:
                    self.has_failed = True
                    raise
                if piece is None:
                    self._content = None
                    await connection.end_upload(stream, self._deadline())
                    break
                self._rest = memoryview(piece)
            await connection.send_piece(stream, bytes(self._rest[:PIECE]), self._deadline())
            self._rest = self._rest[PIECE:]
            await connection.until(stream, self._may_go_on(has_news), self._deadline())
        return True

    def _may_go_on(
        self, has_news: Callable[[ResponseStream], bool]
    ) -> Callable[[ResponseStream], bool]:
        queued = self._connection.protocol.queued

        def may_go_on(stream: ResponseStream) -> bool:
            return has_news(stream) or stream.is_deaf or queued(stream) < PIECE

        return may_go_on

    def _deadline(self) -> float | None:
        request = self._request
        return self._connection.deadline_for(request, request.settings.timeouts.write)

    async def close(self) -> None:
        """Send no more, and close what the content comes from."""
        content, self._content = self._content, None
        if content is not None:
            await content.close()
