"""The web server, with its routes, for clients that speak HTTP/2 as well (by ngh2 in the server's
role): chosen by ALPN over TLS, by the client's preface without.

Each stream is answered in a thread of its own, by the same routes as over HTTP/1.1.
"""

import contextlib
import email.utils
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ngh2

from servers import websocket
from servers.listener import Stopped
from servers.web import Request, Web

CANCEL = 0x8  # RFC 9113, 7

__all__ = ["Exchange", "Web2", "speaking_http2"]


def speaking_http2(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, which chooses HTTP/2 from now on where the client offers it."""
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class Web2(Web):
    """See above. `most_streams`: SETTINGS_MAX_CONCURRENT_STREAMS; None says nothing of it."""

    most_streams: int | None = None
    takes_websockets = True

    def serve_connection(self, connection: socket.socket, index: int) -> None:
        connection.settimeout(None)
        if self.tls is not None:
            speaks = connection.selected_alpn_protocol() == "h2"  # type: ignore[attr-defined]
        else:
            speaks = connection.recv(3, socket.MSG_PEEK) == b"PRI"
        if speaks:
            Conversation2(self, connection, index).run()
        else:
            super().serve_connection(connection, index)


class Conversation2:
    """The requests and answers on one connection. All that touches ngh2 holds `lock`."""

    version = b"2"

    def __init__(self, web: Web2, connection: socket.socket, index: int) -> None:
        self.web = web
        self.index = index
        self.socket = connection
        self.lock = threading.Lock()
        self.sending = threading.Lock()
        self.is_gone = False
        self.http = ngh2.Connection(
            ngh2.Role.SERVER, ngh2.Configuration(max_send_header_block_length=1 << 24)
        )
        settings = {ngh2.Setting.ENABLE_CONNECT_PROTOCOL: 1} if web.takes_websockets else {}
        if web.most_streams is not None:
            settings[ngh2.Setting.MAX_CONCURRENT_STREAMS] = web.most_streams
        self.http.initiate_connection(settings)
        self.contents: dict[int, queue.SimpleQueue[bytes | None]] = {}
        self.number = 0
        self.goodbye = False

    def run(self) -> None:
        self.flush()
        try:
            while data := self.socket.recv(65536):
                with self.lock:
                    self.http.receive_data(data)
                    events = self.http.events()
                for event in events:
                    self.handle(event)
                self.flush()
        except OSError:
            pass
        finally:
            for content in self.contents.values():
                content.put(None)
            # Nobody may write to the descriptor when it is closed: it may be another's by then.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
            with self.sending:
                self.is_gone = True

    def handle(self, event: Any) -> None:
        if isinstance(event, ngh2.RequestReceived):
            self.number += 1
            content = self.contents[event.stream_id] = queue.SimpleQueue()
            if event.end_stream:
                content.put(None)
            threading.Thread(
                target=Exchange(self, event, self.number).run, name="stream", daemon=True
            ).start()
        elif isinstance(event, ngh2.DataReceived):
            content = self.contents[event.stream_id]
            if event.data:
                content.put(event.data)
            if event.end_stream:
                content.put(None)
        elif isinstance(event, ngh2.StreamClosed) and event.stream_id in self.contents:
            self.contents.pop(event.stream_id).put(None)

    def flush(self) -> None:
        with self.sending:
            while not self.is_gone:
                with self.lock:
                    data = self.http.data_to_send(65536)
                if not data:
                    return
                self.socket.sendall(data)

    def answer_whole(self, stream: int, head: Any, content: bytes) -> None:
        """Head and content together."""
        with self.lock:
            self.http.send_response(stream, head)
        self.do("send_data", stream, content, end_stream=True)

    def do(self, name: str, *arguments: Any, **options: Any) -> None:
        with self.lock:
            getattr(self.http, name)(*arguments, **options)
        self.flush()


class Exchange:
    """One request, and what is done about it: what `Request` calls its conversation."""

    def __init__(self, conversation: Any, event: Any, number: int) -> None:
        self.web = conversation.web
        self.index = conversation.index
        self.socket = conversation.socket
        self._conversation = conversation
        self._stream = event.stream_id
        self._content = conversation.contents[event.stream_id]
        pseudo = {name: value for name, value in event.headers if name.startswith(b":")}
        fields = [(b"Host", pseudo[b":authority"])]
        fields += [(n.title(), v) for n, v in event.headers if not n.startswith(b":")]
        if b":protocol" in pseudo:  # as it would be asked for in HTTP/1.1 (RFC 8441, 4)
            assert pseudo[b":method"] == b"CONNECT"
            fields.append((b"Upgrade", pseudo[b":protocol"]))
            pseudo[b":method"] = b"GET"
        head: Any = SimpleNamespace(
            method=pseudo[b":method"],
            target=pseudo[b":path"],
            http_version=conversation.version,
            headers=SimpleNamespace(raw_items=lambda: fields),
        )
        self.request = Request(self, head, number)  # type: ignore[arg-type]
        self._awaits_go_ahead = self.request.field("expect") == "100-continue"

    def run(self) -> None:
        with contextlib.suppress(Stopped, OSError, ngh2.NGH2Error):
            if websocket.is_wanted(self.request):
                self._talk()
                return
            with self.web.counting(self.request):
                reply = self.web.answer(self.request)
                if not isinstance(reply.content, bytes):
                    self._answer(reply)
                    return
            # Whoever has it may ask again before this thread goes on: it is not in flight then.
            self._answer(reply)

    def receive_content(self) -> Iterator[bytes]:
        if self._awaits_go_ahead:
            self._do("send_informational_response", [(b":status", b"100")])
        while (piece := self._content.get()) is not None:
            yield piece

    def _answer(self, reply: Any) -> None:
        for status, fields in reply.interim:
            self._do("send_informational_response", _head(status, fields))
        fields = [("Date", email.utils.formatdate(usegmt=True)), ("Server", "witness")]
        fields += [(name, value) for name, value in reply.fields if name.lower() != "connection"]
        if isinstance(reply.content, bytes) and reply.status != 204:
            fields.append(("Content-Length", str(len(reply.content))))
        head = _head(reply.status, fields)
        if self.request.method == "HEAD" or reply.status in (204, 304):
            self._do("send_response", head, end_stream=True)
            return
        if isinstance(reply.content, bytes):
            self._conversation.answer_whole(self._stream, head, reply.content)
            return
        self._do("send_response", head)
        for piece in reply.content:
            self._do("send_data", piece)
        if reply.trailers:
            self._do("send_trailers", [(_bytes(n).lower(), _bytes(v)) for n, v in reply.trailers])
        else:
            self._do("end_stream")

    def _talk(self) -> None:
        talk = websocket.Talk(self.request, shared=True)
        with self.web.counting(self.request):
            self._do("send_response", _head(200, talk.fields))
            talk.run(
                lambda: self._content.get() or b"",
                lambda data: self._do("send_data", data),
                lambda: self._do("reset_stream", CANCEL),
            )
        self._do("end_stream")

    def _do(self, name: str, *arguments: Any, **options: Any) -> None:
        self._conversation.do(name, self._stream, *arguments, **options)


def _head(status: int, fields: Any) -> list[tuple[bytes, bytes]]:
    pairs = [(_bytes(name).lower(), _bytes(value)) for name, value in fields]
    return [(b":status", str(status).encode()), *pairs]


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
