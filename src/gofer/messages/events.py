"""Server-sent events: `text/event-stream`, read event by event (WHATWG HTML, 9.2.6)."""

import re
from collections.abc import Iterator
from typing import Any

from gofer.exceptions import RemoteProtocolError

__all__ = ["EventReader", "ServerSentEvent"]

MAX_EVENT = 16 * 1024 * 1024  # bytes of one event; the format itself has no limit

_LINE_END = re.compile(rb"\r\n|\n|\r")
_MARK = b"\xef\xbb\xbf"  # of the byte order; at the very beginning it says nothing


class ServerSentEvent:
    """One event.

    Attributes:
        type: str, "message" where the server names none.
        data: str, its lines joined by a line feed.
        id: str, the last id that was given up to this event; "" if there was none. A connection
            that is made anew says it in Last-Event-ID.
    """

    __slots__ = ("data", "id", "type")

    def __init__(self, kind: str, data: str, identity: str) -> None:
        self.type = kind
        self.data = data
        self.id = identity

    def json(self, **kwargs: Any) -> Any:
        """The data read as JSON; `kwargs` go to `json.loads`.

        Raises:
            json.JSONDecodeError: it is none.
        """
        import json

        return json.loads(self.data, **kwargs)

    def __repr__(self) -> str:
        return f"<ServerSentEvent {self.type} {self.data[:40]!r}>"


class EventReader:
    """A step from bytes to events.

    Attributes:
        last_id: of the events so far.
        retry: seconds to wait before connecting again, if the server has said.

    Args:
        last_id: of the event before the first.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: float | None = None
        self._id = last_id
        self._waiting = bytearray()  # a line that has not ended
        self._searched = 0  # bytes of it already searched for the end of the line
        self._is_first = True
        self._skips_feed = False  # a line ended with CR: an LF that comes next belongs to it
        self._type = ""
        self._data = bytearray()  # lines, each with a line feed

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """The events that end in `piece`. Take them all: they are read on the way.

        Raises:
            RemoteProtocolError: behind them is one that is larger than 16 MiB.
        """
        for line in self._lines(piece):
            if line:
                self._field(line)
                continue
            event = self._event()
            if event is not None:
                yield event
        if len(self._data) + len(self._waiting) > MAX_EVENT:
            raise RemoteProtocolError(
                f"reading an event: it has more than {MAX_EVENT} bytes, and no end in sight"
            )

    def end(self) -> tuple[()]:
        """An event that did not end does not count."""
        return ()

    def _lines(self, piece: bytes) -> list[bytes]:
        """The lines that end in `piece`, without their ends."""
        if self._skips_feed and piece:
            self._skips_feed = False
            piece = piece.removeprefix(b"\n")
        text = self._waiting
        text += piece
        if self._is_first:
            if len(text) < len(_MARK) and _MARK.startswith(text):
                return []
            self._is_first = False
            if text.startswith(_MARK):
                del text[: len(_MARK)]
        lines = []
        start = 0
        for end in list(_LINE_END.finditer(text, self._searched)):
            lines.append(bytes(text[start : end.start()]))
            start = end.end()
        # Whoever ends lines so may say nothing more before the next event.
        self._skips_feed = self._skips_feed or text.endswith(b"\r")
        del text[:start]
        if text.startswith(b":"):
            del text[1:]  # a comment, however long
        self._searched = len(text)
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data += value
            self._data += b"\n"
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 12:
            self.retry = int(value) / 1000

    def _event(self) -> ServerSentEvent | None:
        self.last_id = self._id
        data, kind = self._data, self._type
        self._data, self._type = bytearray(), ""
        if not data:
            return None
        return ServerSentEvent(kind or "message", data[:-1].decode("utf-8", "replace"), self._id)
