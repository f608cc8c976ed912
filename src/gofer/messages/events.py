"""Server-sent events: `text/event-stream`, read event by event (WHATWG HTML, 9.2.6)."""

import re
from typing import Any

from gofer.exceptions import RemoteProtocolError

__all__ = ["EventReader", "ServerSentEvent"]

MAX_EVENT = 16 * 1024 * 1024  # bytes of one event; the format itself has no limit

_LINE_END = re.compile(rb"\r\n|\n|\r")


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
        self._type = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """The events that end in `piece`.

        Raises:
            RemoteProtocolError: one is larger than 16 MiB.
        """
        events: list[ServerSentEvent] = []
        text = self._waiting
        text += piece
        # CR may be half of a CRLF whose LF is still to come.
        size = len(text) - text.endswith(b"\r")
        start = 0
        for end in list(_LINE_END.finditer(text, self._searched, size)):
            line = bytes(text[start : end.start()])
            start = end.end()
            if self._is_first:
                self._is_first = False
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line:
                self._field(line)
                continue
            event = self._event()
            if event is not None:
                events.append(event)
        del text[:start]
        self._searched = size - start
        if self._size + len(text) > MAX_EVENT:
            raise RemoteProtocolError(
                f"reading an event: it has more than {MAX_EVENT} bytes, and no end in sight"
            )
        return events

    def end(self) -> list[ServerSentEvent]:
        """An event that did not end does not count."""
        return self.feed(b"\n") if self._waiting == b"\r" else []

    def _field(self, line: bytes) -> None:
        self._size += len(line)
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
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
        self._data, self._type, self._size = [], "", 0
        return ServerSentEvent(kind or "message", "\n".join(data), self._id) if data else None
