"""HTTP/3 (RFC 9114) without I/O: one connection's datagrams in and out, by qh3.

`Http3Protocol` turns datagrams into the state of `ResponseStream`s and calls into datagrams. QUIC,
TLS, framing and QPACK are qh3's; the rules for fields (`http3_fields.py`) and lengths, the limits,
and what counts as a flood, are ours. It has no lock: whoever drives it holds one.

qh3 lets the peer send on as soon as something has come, whether anybody has read it or not. So a
connection with much unread takes no new requests, and the stream with most of it is ended before
it is too much.

What the peer does wrong on the connection becomes `failure`; the datagram that tells the peer so is
the last that `output` gives.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from qh3._hazmat import QpackDecoder
from qh3.h3 import events as http
from qh3.h3.connection import ErrorCode, H3Connection, Setting
from qh3.quic import events as quic
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection
from qh3.quic.connection import QuicConnectionState as State

from gofer.exceptions import (
    CertificateError,
    ConnectionLost,
    FieldSectionTooLarge,
    RemoteProtocolError,
    RequestException,
    SSLError,
)
from gofer.protocols.http1 import Limits
from gofer.protocols.http3_fields import (
    MOST_ENCODED,
    Malformed,
    TooLarge,
    checked_trailers,
    head_of,
    literally,
)
from gofer.protocols.streams import Patience, ResponseStream

__all__ = ["Http3Protocol"]

FULL = 4 * 1024 * 1024  # bytes unread on one stream with which a connection takes no new ones
MOST_UNREAD = 64 * 1024 * 1024  # bytes unread on all streams together
MAX_SILENT = 2 * 1024 * 1024  # bytes on one stream that make no whole frame, and no event
MOST_OF_ITS_OWN = 1000  # streams that a server may open: three have a meaning

# RFC 9001, 4.8: a TLS alert as an error code; the alerts about certificates (RFC 8446, 6.2)
CRYPTO_ERROR = 0x100
_CERTIFICATE_ALERTS = frozenset((42, 43, 44, 45, 46, 48))
NO_ERROR = (0x0, ErrorCode.H3_NO_ERROR)  # of QUIC, of HTTP/3

for _name in ("quic", "http3"):  # qh3 warns of what peers do, and nobody asked for that
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Http3Stream(ResponseStream):
    """What has come of the response on one stream, and what it has to come to.

    Attributes:
        is_head: the request was a HEAD.
        is_empty: its response has no content, whatever its fields say (RFC 9110, 6.4.1).
        left: bytes of content that are still to come; None if nothing was declared.
        unread: bytes in `pieces`.
        silent: bytes that have come since the last event.
        queued: bytes of the request's content that have not gone out.
    """

    def __init__(self, number: int, *, has_ended_sending: bool, is_head: bool = False) -> None:
        super().__init__(number, has_ended_sending=has_ended_sending)
        self.is_head = is_head
        self.is_empty = False
        self.left: int | None = None
        self.unread = self.silent = self.queued = 0


class _Http3(H3Connection):
    """qh3's, which would allow pushes; and tables of QPACK, by which a peer makes few bytes into
    many fields, and keep streams waiting.
    """

    def _init_connection(self) -> None:
        self._max_push_id = None
        self._max_table_capacity = self._blocked_streams = 0
        self._decoder = QpackDecoder(0, 0)
        super()._init_connection()

    def _encode_headers(self, stream_id: int, headers: Any) -> bytes:
        if all(len(value) <= MOST_ENCODED and value.isascii() for _, value in headers):
            return super()._encode_headers(stream_id, headers)
        return literally(headers)


class Http3Protocol:
    """See `StreamsProtocol`.

    Attributes:
        handshake: complete as soon as QUIC's and TLS's are.
        has_heard: something has come, whatever it was.
        quic: qh3's connection, which knows what was agreed on.
        streams: those that are open, by number.

    Args:
        address: the peer's, as numbers: (host, port).
        now: monotonic seconds.
    """

    version = "HTTP/3"
    refused = int(ErrorCode.H3_REQUEST_REJECTED)

    def __init__(
        self,
        configuration: QuicConfiguration,
        limits: Limits,
        peer: str,
        address: tuple[str, int],
        now: float,
    ) -> None:
        self.peer = peer
        self.limits = limits
        self.is_closing = self.is_over = self.has_heard = False
        self.is_drained = False
        self.has_output = True
        self.failure: RequestException | None = None
        self.most_streams = 0
        self.timer: float | None = None
        self.streams: dict[int, Http3Stream] = {}
        self.touched: list[ResponseStream] = []
        self.handshake = ResponseStream(-1, has_ended_sending=True)
        self._pings: dict[int, ResponseStream] = {}  # that wait for their answer, by uid
        self._ping_count = 0
        self._datagrams: deque[bytes] = deque()  # to be sent
        self._uploads: set[Any] = set()
        self._unread = 0
        self._silent: dict[int, int] = {}  # as `Http3Stream.silent`, of the peer's own streams
        self._goaway: int | None = None
        self._patience = Patience()
        self._now = now
        self._address = address
        self.quic = QuicConnection(configuration=configuration)
        self.quic.connect(address, now)
        self._http = _Http3(self.quic)

    @property
    def takes_protocols(self) -> bool:
        settings = self._http.received_settings or {}
        return settings.get(Setting.ENABLE_CONNECT_PROTOCOL) == 1

    # Out --------------------------------------------------------------------------------------

    def output(self, _most: int, now: float) -> bytes:
        """The next datagram to be sent; b"" if there is none."""
        datagrams = self._datagrams
        if not datagrams and not self.is_over:
            datagrams.extend(data for data, _ in self._try(self.quic.datagrams_to_send, now) or ())
            self.timer = self._try(self.quic.get_timer)
            for stream in self._uploads:
                stream.queued = self._unsent(stream.number)
        data = datagrams.popleft() if datagrams else b""
        self.is_drained = not data
        self.has_output = bool(data)
        return data

    def on_time(self, now: float) -> None:
        """`timer` has come to its time: something may have been lost, or the connection has.

        Once for each time: many may see it pass, and qh3 waits twice as long after each of these.
        """
        if not self.is_over and self.timer is not None and self.timer <= now:
            self._now = now
            self._try(self.quic.handle_timer, now)
            self._settle()
            self.timer = None if self.is_over else self._try(self.quic.get_timer)

    def begin(self, fields: Iterable[Any], *, has_content: bool) -> ResponseStream:
        """Send the head of a request, on a new stream.

        Raises:
            ConnectionLost: the connection takes no more streams.
        """
        if self.is_over:
            raise ConnectionLost(f"{self.peer}: no new stream: the connection has ended")
        number = self.quic.get_next_available_stream_id()
        if self._goaway is not None or number // 4 >= self.quic.max_concurrent_bidi_streams:
            raise ConnectionLost(f"{self.peer}: no new stream: the server takes no more for now")
        head = list(fields)
        self._http.send_headers(number, head, end_stream=not has_content)
        stream = self.streams[number] = Http3Stream(
            number, has_ended_sending=not has_content, is_head=head[0][1] == b"HEAD"
        )
        self._count_room()
        self.has_output = True
        return stream

    def send(self, stream: ResponseStream, data: bytes) -> None:
        """Queue content; it goes out as the peer's windows and the network allow."""
        if self._may_send(stream):
            self._patience.count = 0
            self._http.send_data(stream.number, data, False)
            self._uploads.add(stream)
            stream.queued += len(data)  # type: ignore[attr-defined]
            self.has_output = True

    def end(self, stream: ResponseStream) -> None:
        """The content of the request is complete."""
        if self._may_send(stream):
            self._http.send_data(stream.number, b"", True)
            self.has_output = True
        stream.has_ended_sending = True
        self._uploads.discard(stream)

    def _may_send(self, stream: ResponseStream) -> bool:
        return not (self.is_over or stream.is_deaf or stream.has_ended_sending) and (
            stream.error_code is None
        )

    def queued(self, stream: ResponseStream) -> int:
        """Bytes of content that have not gone out. May be asked without the lock."""
        if self.is_over or stream.is_over:
            return 0
        return stream.queued  # type: ignore[attr-defined, no-any-return]

    def _unsent(self, number: int) -> int:
        """Bytes on a stream that have not gone out, or were lost."""
        stream = self.quic._streams.get(number)
        return 0 if stream is None else sum(stop - start for start, stop in stream.sender._pending)

    def ping(self) -> ResponseStream:
        """Ask the peer for a sign of life: what is returned is `complete` when it has come."""
        sign = ResponseStream(-1, has_ended_sending=True)
        if not self.is_over:
            self._ping_count += 1
            self._pings[self._ping_count] = sign
            self.quic.send_ping(self._ping_count)
            self.has_output = True
        return sign

    def take(self, stream: ResponseStream) -> bytes:
        """The content that has come."""
        pieces = stream.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread -= stream.unread  # type: ignore[attr-defined]
        stream.unread = 0  # type: ignore[attr-defined]
        if not self.most_streams:
            self._count_room()
        return data

    def forget(self, stream: ResponseStream) -> None:
        """Nobody wants more of `stream`: it ends here if it has not ended by itself."""
        mine = self.streams.pop(stream.number, None)
        if mine is None:
            return
        if mine.pieces:
            self.take(mine)
        if not self.is_over:
            self._end(mine, ErrorCode.H3_REQUEST_CANCELLED)
        self._count_room()

    def _end(self, stream: Http3Stream, code: int) -> None:
        """Tell the peer, and qh3, that both directions are over as far as they are not."""
        number = stream.number
        self._uploads.discard(stream)
        known = self.quic._streams.get(number)  # qh3 would make another of one that has ended
        is_sending = not (stream.has_ended_sending or stream.is_deaf)
        is_receiving = not (stream.complete or stream.was_reset)
        if is_sending:
            stream.has_ended_sending = True
            if known is not None:
                self.quic.reset_stream(number, ErrorCode.H3_NO_ERROR if stream.complete else code)
                known.is_blocked = True  # or it would send once more what was lost before
        if is_receiving:
            if known is not None:
                self.quic.stop_stream(number, code)
            if stream.error_code is None:
                stream.error_code = code
        if is_sending or is_receiving:
            # As if the peer had said so: qh3 forgets what it knows of the stream.
            self._http.handle_event(quic.StopSendingReceived(code, number))
            self._http.handle_event(quic.StreamReset(code, number))
            self.has_output = True

    def goodbye(self, now: float) -> Sequence[bytes]:
        """The datagrams that end the connection; nothing may follow."""
        if self.is_over:
            return ()
        self.quic.close(ErrorCode.H3_NO_ERROR)
        self.is_over = self.is_closing = True
        return self._last_words(now)

    def _last_words(self, now: float) -> list[bytes]:
        """The datagrams that qh3 wants to end with; none if it cannot say them any more."""
        with suppress(Exception):
            return [data for data, _ in self.quic.datagrams_to_send(now)]
        return []

    # In ---------------------------------------------------------------------------------------

    def feed(self, pieces: Sequence[bytes | memoryview], now: float) -> None:
        """Take what came. See `touched` for the streams that have news, and `failure`.

        Args:
            now: monotonic seconds.
        """
        if self.is_over:
            return
        self._now = now
        self.has_heard = True
        address = self._address
        receive: Any = self.quic.receive_datagram
        try:
            for datagram in pieces:
                receive(datagram, address, now)
        except Exception as error:
            self._refuse_by(error)
        self._settle()

    def _settle(self) -> None:
        """After anything that may have changed the state of QUIC."""
        for event in _joined(self.quic.next_event):
            if self.is_over:
                break
            _QUIC_HANDLERS.get(type(event), Http3Protocol._on_idle)(self, event)
        closed = self.quic._close_event  # the event itself waits until QUIC has drained
        if closed is not None:
            self._on_terminated(closed)
        if self._unread > MOST_UNREAD:
            self._end_the_largest()
        self._count_room()
        self.has_output = True

    def _count_room(self) -> None:
        """QUIC counts all streams of a connection's life, and allows more when some have ended."""
        left = self.quic.max_concurrent_bidi_streams - self.quic.get_next_available_stream_id() // 4
        self.most_streams = len(self.streams) + max(0, left)
        if self._unread > FULL and any(s.unread > FULL for s in self.streams.values()):
            self.most_streams = 0

    def _try(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What `call` returns; whatever it raises about what the peer sent is the peer's doing."""
        try:
            return call(*arguments)
        except Exception as error:
            self._refuse_by(error)
        return None

    def _refuse_by(self, error: Exception) -> None:
        self._refuse(
            f"broke the rules of HTTP/3: {type(error).__name__}: {error}",
            ErrorCode.H3_GENERAL_PROTOCOL_ERROR,
        )

    def _refuse(
        self,
        problem: str,
        code: int = ErrorCode.H3_EXCESSIVE_LOAD,
        kind: type[RequestException] = RemoteProtocolError,
    ) -> None:
        """End the connection, and tell the peer why."""
        if not self.is_over:
            self.quic.close(code, reason_phrase=problem[:80])
            self._fail(kind(f"{self.peer}: {problem}"))

    def _fail(self, error: RequestException) -> None:
        if not self.is_over:
            self._datagrams.extend(self._last_words(self._now))
            self.has_output = bool(self._datagrams)
            self.is_drained = False
        self.failure = self.failure or error
        self.is_over = self.is_closing = True

    def _on_terminated(self, event: quic.ConnectionTerminated) -> None:
        code, reason = event.error_code, event.reason_phrase or "no reason given"
        is_ours = self.quic._state not in (State.DRAINING, State.TERMINATED)
        if event.frame_type is not None and CRYPTO_ERROR <= code < CRYPTO_ERROR + 256:
            is_certificate = is_ours and code - CRYPTO_ERROR in _CERTIFICATE_ALERTS
            kind = CertificateError if is_certificate else SSLError
            self._fail(kind(f"connecting to {self.peer}: {reason}"))
        elif event.reason_phrase == "Idle timeout":
            self._fail(ConnectionLost(f"{self.peer}: nothing came for too long"))
        elif is_ours:
            is_large = code == ErrorCode.H3_EXCESSIVE_LOAD
            broken = FieldSectionTooLarge if is_large else RemoteProtocolError
            self._fail(broken(f"{self.peer}: broke the rules of HTTP/3: {reason} ({code:#x})"))
        elif code in NO_ERROR:
            self._fail(ConnectionLost(f"{self.peer}: closed the connection"))
        else:
            self._fail(ConnectionLost(f"{self.peer}: closed the connection: {reason} ({code:#x})"))

    def _on_idle(self, _event: Any) -> None:
        """One more event without progress."""
        if self._patience.is_over(self._now):
            self._refuse(str(self._patience))

    def _on_handshake(self, _event: quic.HandshakeCompleted) -> None:
        self.handshake.complete = True
        self.touched.append(self.handshake)

    def _on_pong(self, event: quic.PingAcknowledged) -> None:
        sign = self._pings.pop(event.uid, None)
        if sign is not None:
            sign.complete = True
            self.touched.append(sign)

    def _on_stream(self, event: Any) -> None:
        """News of a stream: HTTP/3's business, unless nobody wants it any more."""
        number = event.stream_id
        stream = self.streams.get(number)
        if number & 3 == 1:  # RFC 9114, 6.1
            self._refuse("opened a stream for requests", ErrorCode.H3_STREAM_CREATION_ERROR)
            return
        if stream is None and number & 3 == 0:
            return
        if number & 3 == 3 and number > 4 * MOST_OF_ITS_OWN:
            self._refuse(f"opened over {MOST_OF_ITS_OWN} streams that nobody asked for")
            return
        frames = self._http._stream.get(number)
        events = self._try(self._http.handle_event, event) or ()
        if self.quic._close_event is not None:
            return  # qh3 has found something; `_settle` says what
        for news in events:
            _HTTP_HANDLERS.get(type(news), Http3Protocol._on_idle)(self, news)
        if type(event) is quic.StreamDataReceived and not self.is_over:
            self._listen(event, stream, has_news=bool(events))
            is_cut = event.end_stream and frames is not None and frames.frame_size
            if is_cut and stream is not None and not stream.is_empty and stream.error_code is None:
                self._malformed(stream, "it ended in the middle of a frame")

    def _listen(
        self, event: quic.StreamDataReceived, stream: Http3Stream | None, *, has_news: bool
    ) -> None:
        """See what qh3 keeps silent about: frames without an end, and a stream's end too early."""
        silent = 0
        if not has_news:
            known = self._silent.get(event.stream_id, 0) if stream is None else stream.silent
            silent = known + len(event.data)
        if silent > MAX_SILENT:
            self._refuse(f"over {MAX_SILENT} bytes on a stream that lead nowhere")
        elif stream is None:
            self._silent[event.stream_id] = silent
        else:
            stream.silent = silent
            is_blocked = event.stream_id in self._http._blocked_stream_map  # QPACK has more to say
            if event.end_stream and not (stream.is_over or is_blocked):
                self.touched.append(stream)
                self._malformed(stream, "it ended in the middle")

    def _on_head(self, event: http.HeadersReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if self._is_push(event) or stream is None:
            return
        self._silent.clear()
        self._patience.count = 0
        self.touched.append(stream)
        try:
            if stream.status:
                stream.trailers = checked_trailers(event.headers, self.limits)
            else:
                stream.status, stream.fields, stream.left = head_of(event.headers, self.limits)
                if stream.is_head or stream.status in (204, 304):
                    stream.is_empty, stream.left = True, None
                if stream.status < 200:
                    raise Malformed(f"the status is {stream.status}")
            if event.stream_ended:
                self._complete(stream)
        except Malformed as problem:
            self._malformed(stream, str(problem))
        except TooLarge as problem:
            self._refuse(str(problem), kind=FieldSectionTooLarge)

    def _on_interim(self, event: http.InformationalHeadersReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        self._on_idle(event)
        self.touched.append(stream)
        try:
            status, fields, _ = head_of(event.headers, self.limits)
        except Malformed as problem:
            self._malformed(stream, str(problem))
            return
        except TooLarge as problem:
            self._refuse(str(problem), kind=FieldSectionTooLarge)
            return
        stream.interim = [*stream.interim, (status, fields)]
        most = self.limits.max_interim_responses
        if len(stream.interim) > most:
            self._malformed(stream, f"over {most} interim responses")
        elif status == 101:
            self._malformed(stream, "101 has no place in HTTP/3 (RFC 9114, 4.5)")

    def _on_data(self, event: http.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if self._is_push(event) or stream is None:
            return
        size = len(event.data)
        if stream.is_empty and size:  # Caddy 2.6 sends what it must not (RFC 9110, 9.3.2)
            self._end(stream, ErrorCode.H3_NO_ERROR)
            stream.error_code, stream.complete = None, True
        elif size:
            self._patience.count = 0
            if stream.left is not None:
                stream.left -= size
                if stream.left < 0:
                    self.touched.append(stream)
                    self._malformed(stream, "more content than its length")
                    return
            stream.pieces.append(event.data)
            stream.unread += size
            self._unread += size
        elif not event.stream_ended:
            self._on_idle(event)
            return
        self.touched.append(stream)
        if event.stream_ended and not stream.complete:
            self._complete(stream)

    def _complete(self, stream: Http3Stream) -> None:
        """The peer has ended its side."""
        if stream.left:
            self._malformed(stream, f"{stream.left} bytes less content than its length")
        else:
            stream.complete = True

    def _malformed(self, stream: Http3Stream, problem: str) -> None:
        """An error of this stream alone (RFC 9114, 4.1.2)."""
        stream.problem = problem
        self._give_up(stream, ErrorCode.H3_MESSAGE_ERROR)

    def _give_up(self, stream: Http3Stream, code: int) -> None:
        """End a stream before its time: nothing that still comes on it counts."""
        self.streams.pop(stream.number, None)
        self._unread -= stream.unread
        stream.unread = 0
        self._end(stream, code)
        stream.error_code, stream.complete = code, False

    def _end_the_largest(self) -> None:
        """Too much has come that nobody reads: give up the stream with most of it."""
        stream = max(self.streams.values(), key=lambda stream: stream.unread)
        self._malformed(stream, f"{stream.unread} bytes came that nobody has read")
        stream.pieces.clear()
        self.touched.append(stream)

    def _on_reset(self, event: http.StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None or stream.complete:
            return
        stream.was_reset = True
        stream.error_code = event.error_code
        self.touched.append(stream)

    def _on_stop(self, event: http.StopSending) -> None:
        """It wants no more of the request: what it has to say to that is to come."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.is_deaf = True
            stream.queued = 0
            known = self.quic._streams.get(stream.number)
            if known is not None:
                known.is_blocked = True  # as in `_end`
            self._uploads.discard(stream)
            self.touched.append(stream)

    def _on_goaway(self, event: http.GoawayReceived) -> None:
        first = event.stream_id
        if first % 4 or (self._goaway is not None and first > self._goaway):
            self._refuse("said goodbye to what it cannot", ErrorCode.H3_ID_ERROR)
            return
        self._goaway = first
        self.is_closing = True
        for number, stream in list(self.streams.items()):
            if number >= first and not stream.complete:  # RFC 9114, 5.2: they were not looked at
                self._give_up(stream, ErrorCode.H3_REQUEST_CANCELLED)
                stream.error_code = self.refused
                self.touched.append(stream)

    def _is_push(self, event: Any) -> bool:
        if event.push_id is None:
            return False
        self._on_push(event)
        return True

    def _on_push(self, _event: Any) -> None:
        """We have allowed none (RFC 9114, 4.6)."""
        self._refuse("pushed, which it was not allowed", ErrorCode.H3_ID_ERROR)


def _joined(next_event: Callable[[], Any]) -> Iterator[Any]:
    """QUIC's events; what came on one stream in several datagrams, one behind the other, is one.

    100 MB take a tenth less so.
    """
    event = next_event()
    while event is not None:
        following = next_event()
        if type(event) is quic.StreamDataReceived:
            number, pieces = event.stream_id, [event.data]
            while (
                type(following) is quic.StreamDataReceived
                and following.stream_id == number
                and not event.end_stream
            ):
                pieces.append(following.data)
                event.end_stream = following.end_stream
                following = next_event()
            if len(pieces) > 1:
                event.data = b"".join(pieces)
        yield event
        event = following


_QUIC_HANDLERS: dict[type, Any] = {
    quic.StreamDataReceived: Http3Protocol._on_stream,
    quic.StreamReset: Http3Protocol._on_stream,
    quic.StopSendingReceived: Http3Protocol._on_stream,
    quic.HandshakeCompleted: Http3Protocol._on_handshake,
    quic.PingAcknowledged: Http3Protocol._on_pong,
    quic.ConnectionTerminated: Http3Protocol._on_terminated,
}
_HTTP_HANDLERS: dict[type, Any] = {
    http.HeadersReceived: Http3Protocol._on_head,
    http.InformationalHeadersReceived: Http3Protocol._on_interim,
    http.DataReceived: Http3Protocol._on_data,
    http.StreamReset: Http3Protocol._on_reset,
    http.StopSending: Http3Protocol._on_stop,
    http.GoawayReceived: Http3Protocol._on_goaway,
    http.PushPromiseReceived: Http3Protocol._on_push,
}
