"""A strict HTTP/1.1 server, with routes like httpbin's (they are in `routes`).

Messages are parsed by h11, which shares nothing with gofer: whatever gofer sends that h11 refuses
fails the test. One thread per connection, persistent connections, counters of everything.
"""

import contextlib
import email.utils
import json
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from servers import websocket
from servers.listener import Listener, Stopped

__all__ = ["Fields", "Reply", "Request", "Web"]

Fields = list[tuple[str, str]]

MAX_HEAD = 1024 * 1024  # bytes; a test may send more than real servers take
MAX_DRAINED = 1024 * 1024  # bytes of unread content read after the answer, to keep the connection


@dataclass(slots=True)
class Reply:
    """What a route answers. Content that is no `bytes` goes out chunked, piece by piece.

    interim: interim responses sent before it, as (status code, fields).
    """

    content: bytes | Iterable[bytes] = b""
    status: int = 200
    fields: Fields = field(default_factory=list)
    trailers: Fields = field(default_factory=list)
    interim: list[tuple[int, Fields]] = field(default_factory=list)
    reason: str | None = None

    @classmethod
    def json(cls, value: object, status: int = 200, fields: Fields | None = None) -> "Reply":
        content = json.dumps(value).encode()
        return cls(content, status, [("Content-Type", "application/json"), *(fields or [])])

    @classmethod
    def text(cls, value: str, media_type: str = "text/plain", status: int = 200) -> "Reply":
        return cls(value.encode(), status, [("Content-Type", f"{media_type}; charset=utf-8")])


class Request:
    """A request as it came.

    connection: which connection of the server, from 0; number: which request on it, from 1.
    """

    def __init__(self, conversation: "Conversation", head: h11.Request, number: int) -> None:
        self.web = conversation.web
        self.conversation = conversation
        self.connection = conversation.index
        self.number = number
        self.method = head.method.decode("ascii")
        self.target = head.target.decode("latin-1")
        self.http_version = head.http_version.decode("ascii")
        self.fields: Fields = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in head.headers.raw_items()
        ]
        parts = urlsplit(self.target)
        self.path = unquote(parts.path)
        self.query: Fields = parse_qsl(parts.query, keep_blank_values=True)
        self._content: bytes | None = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    def field(self, name: str) -> str | None:
        """The value of a field, its lines joined by a comma; None if there is none."""
        values = self.lines(name)
        return ", ".join(values) if values else None

    def lines(self, name: str) -> list[str]:
        """The value of every field line with this name."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def option(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return dict(self.query).get(name, default)

    @property
    def cookies(self) -> dict[str, str]:
        pairs = [pair.partition("=") for line in self.lines("cookie") for pair in line.split(";")]
        return {name.strip(): value.strip() for name, _, value in pairs if name.strip() or value}

    def pieces(self) -> Iterator[bytes]:
        """The content as it comes. Asking for it sends 100 (Continue) to a client that waits."""
        return self.conversation.receive_content()

    @property
    def content(self) -> bytes:
        if self._content is None:
            self._content = b"".join(self.pieces())
        return self._content


class Web(Listener):
    """The web server.

    requests: every request, in the order of arrival.
    in_flight, in_flight_peak: requests between their head and the end of their answer.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        family: int = socket.AF_INET,
        host: str | None = None,
    ) -> None:
        super().__init__(tls=tls, family=family, host=host)
        self.requests: list[Request] = []
        self.in_flight = 0
        self.in_flight_peak = 0
        self.state: dict[str, Any] = {}  # what routes remember: nonces, for instance

    def reset_counts(self) -> None:
        with self.changed:
            super().reset_counts()
            self.requests.clear()
            self.in_flight_peak = self.in_flight
            self.state.clear()

    def serve_connection(self, connection: socket.socket, index: int) -> None:
        connection.settimeout(None)  # an idle connection may stay; stop() ends it
        Conversation(self, connection, index).run()

    def answer(self, request: Request) -> Reply:
        from servers.routes import answer  # the routes are written in terms of this module

        return answer(request)

    @contextlib.contextmanager
    def counting(self, request: Request) -> Iterator[None]:
        """Count a request as in flight."""
        with self.changed:
            self.requests.append(request)
            self.in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
            self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                self.in_flight -= 1
                self.changed.notify_all()


class Conversation:
    """The requests and answers on one connection."""

    def __init__(self, web: Web, connection: socket.socket, index: int) -> None:
        self.web = web
        self.index = index
        self.socket = connection
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    def run(self) -> None:
        number = 1
        try:
            while self._serve_one(number):
                self.http.start_next_cycle()
                number += 1
        except h11.RemoteProtocolError as error:
            self._refuse(error)
        self._finish()

    def _serve_one(self, number: int) -> bool:
        """Answer one request; false when the connection is not to be used again."""
        head = self._next_event()
        if not isinstance(head, h11.Request):
            return False
        request = Request(self, head, number)
        if websocket.is_wanted(request):
            self._talk(request)
            return False
        with self.web.counting(request):
            reply = self.web.answer(request)
            self._send(request, reply)
        self._drain()
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    # Receiving --------------------------------------------------------------------------------

    def receive_content(self) -> Iterator[bytes]:
        if self.http.they_are_waiting_for_100_continue:
            self._send_events(h11.InformationalResponse(status_code=100, headers=[]))
        while isinstance(event := self._next_event(), h11.Data):
            yield bytes(event.data)

    def _next_event(self) -> Any:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            data = self.socket.recv(65536)
            if not data:
                raise Stopped
            self.http.receive_data(data)
        return event

    def _drain(self) -> None:
        """Read content that the route left unread, if it is not too much."""
        if self.http.they_are_waiting_for_100_continue:
            return
        drained = 0
        while self.http.their_state is h11.SEND_BODY and drained < MAX_DRAINED:
            event = self._next_event()
            if isinstance(event, h11.Data):
                drained += len(event.data)

    def _talk(self, request: Request) -> None:
        talk = websocket.Talk(request, shared=False)
        self._next_event()
        switching = self.http.send(h11.InformationalResponse(status_code=101, headers=talk.fields))
        received = [bytes(self.http.trailing_data[0])]
        waiting = [switching]  # the first messages come with the head

        def receive() -> bytes:
            return received.pop() or self._recv() if received else self._recv()

        def send(data: bytes) -> None:
            self.socket.sendall((waiting.pop() if waiting else b"") + data)

        with self.web.counting(request):
            if not request.option("hello"):
                send(b"")
            talk.run(receive, send, lambda: None)

    def _recv(self) -> bytes:
        return self.socket.recv(65536)

    # Sending ----------------------------------------------------------------------------------

    def _send(self, request: Request, reply: Reply) -> None:
        for status, fields in reply.interim:
            self._send_events(h11.InformationalResponse(status_code=status, headers=fields))
        fields = [
            ("Date", email.utils.formatdate(usegmt=True)),
            ("Server", "witness"),
            *reply.fields,
        ]
        if isinstance(reply.content, bytes):
            if reply.status != 204:
                fields.append(("Content-Length", str(len(reply.content))))
        elif reply.trailers:
            fields.append(("Trailer", ", ".join(name for name, _ in reply.trailers)))
        head = h11.Response(
            status_code=reply.status,
            headers=fields,
            reason=(reply.reason or _reason(reply.status)).encode(),
        )
        end = h11.EndOfMessage(headers=reply.trailers)
        if request.method == "HEAD" or reply.status in (204, 304):
            self._send_events(head, h11.EndOfMessage())
            return
        if isinstance(reply.content, bytes):
            self._send_events(head, h11.Data(data=reply.content), end)
            return
        self._send_events(head)
        for piece in reply.content:
            self._send_events(h11.Data(data=piece))
        self._send_events(end)

    def _send_events(self, *events: Any) -> None:
        data = b"".join(self.http.send(event) or b"" for event in events)
        self.socket.sendall(data)

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Tell the client, and fail the test: gofer sent something that is not HTTP."""
        self.web.errors.append(AssertionError(f"not HTTP, says the server's parser: {error}"))
        if self.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            fields = [("Content-Length", "0"), ("Connection", "close")]
            refusal = h11.Response(status_code=error.error_status_hint, headers=fields)
            self._send_events(refusal, h11.EndOfMessage())

    def _finish(self) -> None:
        """FIN, then read what still comes, so that the answer is not lost to a reset."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
            while socket.socket.recv(self.socket, 65536):
                pass


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
