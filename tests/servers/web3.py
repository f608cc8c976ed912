"""The web server, with its routes, for clients that speak HTTP/3 as well (by qh3 in the server's
role): on UDP, at the port that it has for TCP too.

One thread receives for all connections; each stream is answered in a thread of its own, by the same
routes as over HTTP/1.1.
"""

import contextlib
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qh3._hazmat import Buffer
from qh3.h3 import events as http
from qh3.h3.connection import ErrorCode, H3Connection, ProtocolError, Setting
from qh3.quic import events as quic
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection, QuicConnectionError
from qh3.quic.packet import QuicPacketType, pull_quic_header

from servers.listener import PATIENCE
from servers.web2 import Exchange, Web2

__all__ = ["Conversation3", "Web3"]

CID = 8  # bytes of our connection IDs


class Web3(Web2):
    """See above.

    Args:
        tls: for TCP.
        chain, key: PEM files, for QUIC.
        advertises: every answer says so in Alt-Svc; `alt_svc` is what it says, None for nothing.

    Attributes:
        is_slow: datagrams are held back until somebody asks by TCP, and go before the answer.
        is_lossy: they are not held back but lost.
        prompt: so many of them go at once all the same.
    """

    conversation_class: "type[Conversation3]"

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        chain: Path,
        key: Path,
        advertises: bool = False,
        host: str | None = None,
    ) -> None:
        super().__init__(tls=tls, host=host)
        self.advertises = advertises
        self.alt_svc: str | None = None
        self.by_http3 = 0  # connections so far
        self.is_slow = self.is_lossy = False
        self.prompt = 0
        self._held: list[tuple[bytes, Any]] = []
        self.configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=["h3"],
            connection_id_length=CID,
            max_datagram_frame_size=65536,  # qh3 says that it takes them, and has to mean it
        )
        self.configuration.load_cert_chain(chain, key)
        self.conversation_class = Conversation3
        self._by_cid: dict[bytes, Conversation3] = {}

    def start(self) -> None:
        """Bind a port for TCP, and the same for UDP."""
        super().start()
        if self.advertises:
            self.alt_svc = f'h3=":{self.port}"; ma=600'
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._udp.bind(("127.0.0.1", self.port))
        self._udp_bell, self._udp_rope = socket.socketpair()
        self._udp_rope.setblocking(False)
        self._udp_thread = threading.Thread(target=self._serve_udp, name=f"{self!r} on UDP")
        self._udp_thread.start()

    def stop(self) -> None:
        """As for TCP; every QUIC connection is told."""
        if not self.is_stopping:
            self.hang_up()
        super().stop()
        self.ring()
        self._udp_thread.join(PATIENCE)
        for owned in (self._udp, self._udp_bell, self._udp_rope):
            owned.close()

    def hang_up(self) -> None:
        """End every open connection."""
        super().hang_up()
        for conversation in self.conversations:
            conversation.close(ErrorCode.H3_NO_ERROR, "hanging up")

    def reset_counts(self) -> None:
        """As for TCP. What of an earlier test has not heard that it is over is over."""
        for conversation in self.conversations:
            conversation.close(ErrorCode.H3_NO_ERROR, "another test begins")
        super().reset_counts()

    @property
    def conversations(self) -> "list[Conversation3]":
        """Those that are open."""
        return list(dict.fromkeys(self._by_cid.copy().values()))

    def answer(self, request: Any) -> Any:
        reply = super().answer(request)
        if request.http_version != "3" and self.is_slow:
            self.is_slow = False
            held, self._held = self._held, []
            for data, address in held:
                self.transmit(data, address)
        if self.alt_svc is not None:
            reply.fields.append(("Alt-Svc", self.alt_svc))
        return reply

    # The thread -------------------------------------------------------------------------------

    def ring(self) -> None:
        """Let the thread look at the timers."""
        with contextlib.suppress(OSError):
            self._udp_rope.send(b"x")

    def transmit(self, data: bytes, address: Any) -> None:
        """Send a datagram."""
        if self.prompt:
            self.prompt -= 1
        elif self.is_slow:
            self._held.append((data, address))
            return
        elif self.is_lossy:
            return
        with contextlib.suppress(OSError):
            self._udp.sendto(data, address)

    def _serve_udp(self) -> None:
        while not self.is_stopping:
            timers = [c.timer for c in self.conversations if c.timer is not None]
            patience = max(0.0, min(timers) - time.monotonic()) if timers else None
            readable, _, _ = select.select([self._udp, self._udp_bell], [], [], patience)
            try:
                if self._udp_bell in readable:
                    self._udp_bell.recv(4096)
                if self._udp in readable:
                    self._receive(*self._udp.recvfrom(65536))
                now = time.monotonic()
                for conversation in self.conversations:
                    if conversation.timer is not None and conversation.timer <= now:
                        conversation.on_time(now)
            except Exception as error:
                self.errors.append(error)

    def _receive(self, data: bytes, address: Any) -> None:
        try:
            header = pull_quic_header(Buffer(data=data), CID)
        except ValueError:
            return
        conversation = self._by_cid.get(header.destination_cid)
        if conversation is None:
            if header.packet_type is not QuicPacketType.INITIAL or len(data) < 1200:
                return
            with self.changed:
                index = self.accepted
                self.accepted += 1
                self.by_http3 += 1
                self.open += 1
                self.peak = max(self.peak, self.open)
                self.changed.notify_all()
            conversation = self.conversation_class(self, header.destination_cid, index)
            self._by_cid[header.destination_cid] = self._by_cid[conversation.quic.host_cid] = (
                conversation
            )
        conversation.receive(data, address)

    def forget(self, conversation: "Conversation3") -> None:
        """It has ended."""
        for cid in [c for c, owner in self._by_cid.copy().items() if owner is conversation]:
            self._by_cid.pop(cid, None)
        with self.changed:
            self.open -= 1
            self.changed.notify_all()


class Conversation3:
    """The requests and answers on one connection. All that touches qh3 holds `lock`."""

    version = b"3"
    socket: Any = None

    def __init__(self, web: Web3, destination: bytes, index: int) -> None:
        self.web = web
        self.index = index
        self.lock = threading.RLock()
        self.quic = QuicConnection(
            configuration=web.configuration, original_destination_connection_id=destination
        )
        self.http: Any = None
        self.contents: dict[int, queue.SimpleQueue[bytes | None]] = {}
        self.number = 0
        self.timer: float | None = None
        self.is_closed = False

    # QUIC -------------------------------------------------------------------------------------

    def receive(self, data: bytes, address: Any) -> None:
        with self.lock:
            if self.is_closed:
                return
            self.quic.receive_datagram(data, address, time.monotonic())
            self._settle()

    def on_time(self, now: float) -> None:
        with self.lock:
            if not self.is_closed:
                self.quic.handle_timer(now)
                self._settle()

    def close(self, code: int, reason: str = "") -> None:
        """End the connection."""
        with self.lock:
            if not self.is_closed:
                self.quic.close(error_code=code, reason_phrase=reason)
                self._settle()

    def _settle(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self._on_quic(event)
        self.flush()
        if self.quic._close_event is not None and not self.is_closed:
            self.is_closed = True
            self.timer = None
            for content in self.contents.values():
                content.put(None)
            self.web.forget(self)

    def flush(self) -> None:
        now = time.monotonic()
        for data, address in self.quic.datagrams_to_send(now):
            self.web.transmit(data, address)
        self.timer = self.quic.get_timer()

    def _on_quic(self, event: Any) -> None:
        if isinstance(event, quic.HandshakeCompleted):
            self.http = Http3(self.quic)
            self.begin()
        elif isinstance(event, quic.ConnectionIdIssued):
            self.web._by_cid[event.connection_id] = self
        elif isinstance(event, quic.StopSendingReceived):
            stream = self.quic._streams.get(event.stream_id)
            if stream is not None:
                stream.is_blocked = True  # qh3 would send once more what was lost before
        elif isinstance(event, quic.StreamReset) and event.stream_id in self.contents:
            self.contents[event.stream_id].put(None)
        if self.http is not None:
            for news in self.http.handle_event(event):
                self.handle(news)

    # HTTP -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The connection is there."""

    def handle(self, event: Any) -> None:
        if isinstance(event, http.HeadersReceived) and event.stream_id not in self.contents:
            self.number += 1
            content = self.contents[event.stream_id] = queue.SimpleQueue()
            if event.stream_ended:
                content.put(None)
            threading.Thread(
                target=Exchange(self, event, self.number).run, name="stream", daemon=True
            ).start()
        elif isinstance(event, http.DataReceived):
            content = self.contents[event.stream_id]
            if event.data:
                content.put(event.data)
            if event.stream_ended:
                content.put(None)

    def answer_whole(self, stream: int, head: Any, content: bytes) -> None:
        """As `Conversation2.answer_whole`."""
        with self.talking():
            self.http.send_response(stream, head)
            self.http.send_data(stream, content, end_stream=True)

    def do(self, name: str, stream: int, *arguments: Any, **options: Any) -> None:
        """As `Conversation2.do`, by qh3."""
        with self.talking():
            getattr(self.http, name)(stream, *arguments, **options)

    @contextlib.contextmanager
    def talking(self) -> Iterator[None]:
        """Holds the lock; sends what was said. Raises OSError if the client is not listening."""
        with self.lock:
            if self.is_closed:
                raise OSError("the connection has ended")
            try:
                yield
            except (ValueError, AssertionError, QuicConnectionError, ProtocolError) as error:
                raise OSError("the client wants no more of it") from error
            self._settle()
        self.web.ring()


class Http3(H3Connection):
    """qh3's, by ngh2's words."""

    def _get_local_settings(self) -> dict[int, int]:
        return {**super()._get_local_settings(), Setting.ENABLE_CONNECT_PROTOCOL: 1}

    def reset_stream(self, stream: int, _code: int) -> None:
        self._quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
        self._quic._streams[stream].is_blocked = True

    def send_informational_response(self, stream: int, head: Any) -> None:
        self.send_headers(stream, head)

    def send_response(self, stream: int, head: Any, *, end_stream: bool = False) -> None:
        self.send_headers(stream, head, end_stream)

    def send_data(self, stream: int, data: Any, end_stream: bool = False) -> None:
        super().send_data(stream, data, end_stream)

    def send_trailers(self, stream: int, fields: Any) -> None:
        self.send_headers(stream, fields, True)

    def end_stream(self, stream: int) -> None:
        super().send_data(stream, b"", True)
