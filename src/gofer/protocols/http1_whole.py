"""The quick road of HTTP/1.1: an ordinary response that arrived whole."""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gofer.messages.fields import FieldSection
from gofer.protocols.http1 import Limits, raise_from_callback

__all__ = ["WholeResponse"]


class WholeResponse:
    """The ordinary answer: final, framed by its length, and arrived whole in one piece.

    llhttp reads it with three callbacks and nothing is kept between reads. Whatever is not
    ordinary is `ResponseReader`'s, which looks at the same bytes anew.
    """

    __slots__ = (
        "_ended", "_exceeded", "_parser", "_plain_size", "content", "fields", "keep_alive",
        "on_body", "pieces", "status",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        # A field line has 4 bytes at least, so no smaller head can have too many of them.
        self._plain_size = min(limits.max_field_section, 4 * limits.max_fields)
        self._parser: HttpResponseParser | None = None
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append

    def on_message_begin(self) -> None:
        if self._ended:
            self._exceeded = True

    def on_message_complete(self) -> None:
        self._ended = True
        self.keep_alive = self._parser.should_keep_alive()  # type: ignore[union-attr]

    def read(self, data: bytes) -> bool:
        """True if `data` is exactly one such answer; its parts then are our attributes."""
        # A final response: not 1xx, and no status code below 100 either.
        if not data.startswith(b"HTTP/1.1 ") or data[9:10] <= b"1":
            return False
        self._ended = self._exceeded = False
        parser = self._parser
        if parser is None:
            parser = self._parser = HttpResponseParser(self)
        pieces = self.pieces
        try:
            parser.feed_data(data)
        except HttpParserError as error:
            raise_from_callback(error)
            self._exceeded = True
        except HttpParserUpgrade:
            self._exceeded = True
        if self._ended and not self._exceeded:
            content = self.content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            start = len(data) - len(content)
            if (
                start <= self._plain_size
                # Nothing stands behind the content: llhttp would pass over an empty line.
                and data[start - 4 : start] == b"\r\n\r\n"
                # Chunked content ends with an empty line, and has a reader of its own.
                and not (data.endswith(b"\r\n\r\n") and _may_be_chunked(data, start))
            ):
                self.fields = FieldSection(data, start)
                self.status = parser.get_status_code()
                return True
        self._parser = None
        pieces.clear()
        return False


def _may_be_chunked(data: bytes, start: int) -> bool:
    fields = FieldSection(data)
    return fields.size != start or fields.has(b"transfer-encoding")
