"""HTTP/3 (RFC 9114) without I/O: one connection's datagrams in and out, by qh3.

`Http3Protocol` turns datagrams into the state of `ResponseStream`s and calls into datagrams. QUIC
(`quic.py`), framing and QPACK are qh3's; the rules for fields (`http3_fields.py`) and lengths, the
limits, and what counts as a flood, are ours. It has no lock: whoever drives it holds one.

qh3 lets the peer send on as soon as something has come, whether anybody has read it or not. So a
connection with much unread takes no new requests, and the stream with most of it is ended before
it is too much.
"""

from collections.abc import Iterable
from typing import Any

from qh3._hazmat import QpackDecoder
from qh3.h3 import events as http
from qh3.h3.connection import ErrorCode, H3Connection, Setting
from qh3.quic import events as quic
from qh3.quic.configuration import QuicConfiguration

from gofer.exceptions import ConnectionLost, FieldSectionTooLarge
from gofer.protocols.http1 import Limits
from gofer.protocols.http3_fields import (
    MOST_ENCODED,
    Malformed,
    TooLarge,
    checked_trailers,
    head_of,
    literally,
)
from gofer.protocols.quic import QuicProtocol
from gofer.protocols.streams import ResponseStream

__all__ = ["Http3Protocol"]

FULL = 4 * 1024 * 1024  # bytes unread on one stream with which a connection takes no new ones
MOST_UNREAD = 64 * 1024 * 1024  # bytes unread on all streams together
MAX_SILENT = 2 * 1024 * 1024  # bytes on one stream that make no whole frame, and no event
MOST_OF_ITS_OWN = 1000  # streams that a server may open: three have a meaning


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

    __slots__ = ("is_empty", "is_head", "left", "queued", "silent", "unread")

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


class Http3Protocol(QuicProtocol):
    """See `StreamsProtocol`.

    Attributes:
        streams: those that are open, by number.
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
        super().__init__(configuration, peer, address, now)
        self.limits = limits
        self.most_streams = 0
        self.streams: dict[int, Http3Stream] = {}
        self._uploads: set[Any] = set()
        self._unread = 0
        self._silent: dict[int, int] = {}  # as `Http3Stream.silent`, of the peer's own streams
        self._goaway: int | None = None
        self._http = _Http3(self.quic)

    @property
    def takes_protocols(self) -> bool:
        settings = self._http.received_settings or {}
        return settings.get(Setting.ENABLE_CONNECT_PROTOCOL) == 1

    # Out --------------------------------------------------------------------------------------

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

    def send(self, stream: ResponseStream, data: bytes, *, is_last: bool = False) -> None:
        """Queue content; it goes out as the peer's windows and the network allow."""
        if self._may_send(stream):
            self._patience.count = 0
            self._http.send_data(stream.number, data, is_last)
            stream.has_ended_sending = is_last
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

    def _has_sent(self) -> None:
        for stream in self._uploads:
            stream.queued = self._unsent(stream.number)

    def _unsent(self, number: int) -> int:
        """Bytes on a stream that have not gone out, or were lost."""
        stream = self.quic._streams.get(number)
        return 0 if stream is None else sum(stop - start for start, stop in stream.sender._pending)

    def take_pieces(self, stream: ResponseStream) -> list[bytes]:
        """The content that has come."""
        pieces, stream.pieces = stream.pieces, []
        self._unread -= stream.unread  # type: ignore[attr-defined]
        stream.unread = 0  # type: ignore[attr-defined]
        if not self.most_streams:
            self._count_room()
        return pieces

    def forget(self, stream: ResponseStream) -> None:
        """Nobody wants more of `stream`: it ends here if it has not ended by itself."""
        mine = self.streams.pop(stream.number, None)
        if mine is None:
            return
        if mine.pieces:
            self.take_pieces(mine)
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

    # In ---------------------------------------------------------------------------------------

    def _has_settled(self) -> None:
        if self._unread > MOST_UNREAD:
            self._end_the_largest()
        self._count_room()

    def _count_room(self) -> None:
        """QUIC counts all streams of a connection's life, and allows more when some have ended."""
        left = self.quic.max_concurrent_bidi_streams - self.quic.get_next_available_stream_id() // 4
        self.most_streams = len(self.streams) + max(0, left)
        if self._unread > FULL and any(s.unread > FULL for s in self.streams.values()):
            self.most_streams = 0

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
            if self.is_over:
                return  # something was too much: what follows is of no account
            handle = _HANDLERS.get(type(news)) or Http3Protocol._on_idle
            handle(self, news)
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
                self._check_all(stream.count_trailers(stream.trailers))
            else:
                stream.status, stream.fields, stream.left = head_of(event.headers, self.limits)
                if stream.is_head or stream.status in (204, 304):
                    stream.is_empty, stream.left = True, None
                if stream.interim:
                    self._check_all(stream.count_section(stream.fields))
                if stream.status < 200:
                    raise Malformed(f"the status is {stream.status}")
            if event.stream_ended:
                self._complete(stream)
        except Malformed as problem:
            self._malformed(stream, str(problem))
        except TooLarge as problem:
            self._refuse(str(problem), kind=FieldSectionTooLarge)

    def _check_all(self, count: int) -> None:
        """Hold heads and trailers of one response together to their limit.

        Raises:
            TooLarge.
        """
        most = self.limits.max_field_section
        if count > most:
            raise TooLarge(f"over {most} bytes of heads and trailers (config: max_field_section)")

    def _on_interim(self, event: http.InformationalHeadersReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        self._on_idle(event)
        self.touched.append(stream)
        try:
            status, fields, _ = head_of(event.headers, self.limits)
            self._check_all(stream.count_section(fields))
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


_HANDLERS: dict[type, Any] = {
    http.HeadersReceived: Http3Protocol._on_head,
    http.InformationalHeadersReceived: Http3Protocol._on_interim,
    http.DataReceived: Http3Protocol._on_data,
    http.StreamReset: Http3Protocol._on_reset,
    http.StopSending: Http3Protocol._on_stop,
    http.GoawayReceived: Http3Protocol._on_goaway,
    http.PushPromiseReceived: Http3Protocol._on_push,
}
