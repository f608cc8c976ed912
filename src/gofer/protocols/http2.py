"""HTTP/2 (RFC 9113) without I/O: one connection's frames in and out, by ngh2.

`Http2Protocol` turns bytes into the state of `ResponseStream`s and calls into bytes. Framing, HPACK
and the rules for fields and lengths are ngh2's (libnghttp2); the limits, and what counts as a
flood, are ours. It has no lock: whoever drives it holds one.

What the peer does wrong on the connection becomes `failure`, once the frame that tells the peer so
has been taken by `output`. ngh2 takes no calls after that: each method here asks `is_over` first.
"""

from collections.abc import Iterable
from contextlib import suppress
from struct import Struct
from typing import Any

from gofer.exceptions import (
    ConnectionLost,
    FieldSectionTooLarge,
    RemoteProtocolError,
    RequestException,
)
from gofer.messages.fields import FieldSection
from gofer.protocols.http1 import Limits
from gofer.protocols.streams import Patience, ResponseStream

try:
    import ngh2
except ImportError:
    from gofer.protocols import http2_by_h2 as ngh2  # type: ignore[no-redef]

__all__ = ["CANCEL", "NO_ERROR", "REFUSED_STREAM", "Http2Protocol", "never_indexed"]

never_indexed = ngh2.NeverIndexedHeader  # a field that no table of the compression may hold

STREAM_WINDOW = 1024 * 1024  # bytes a peer may send on one stream before we have read them
LARGE_STREAM_WINDOW = 8 * 1024 * 1024  # the same, once as much as the first has been read
CONNECTION_WINDOW = 16 * 1024 * 1024  # the same for all streams together, to start with
MOST_UNREAD = 64 * 1024 * 1024  # bytes unread with which a connection takes no new streams
UNTOLD_STREAMS = 100  # assumed until the peer's SETTINGS say otherwise (RFC 9113, 6.5.2)
MAX_CONTINUATIONS = 16  # frames that a field section may be spread over, beside its first
HEADER, MAX_FRAME = 9, 16 * 1024  # bytes of a frame: its header; what may follow (RFC 9113, 4)
MAX_QUIET = 1024 * 1024  # bytes of frames that cause no event, such as frames of unknown type
_first_four = Struct(">I").unpack_from  # bytes of a frame's header: its length is three of them

NO_ERROR = 0x0  # RFC 9113, 7
PROTOCOL_ERROR = 0x1
REFUSED_STREAM = 0x7
CANCEL = 0x8
ENHANCE_YOUR_CALM = 0xB

_SETTINGS = {
    ngh2.Setting.ENABLE_PUSH: 0,
    ngh2.Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    ngh2.Setting.NO_RFC7540_PRIORITIES: 1,  # ours is a field (RFC 9218, 2.1)
}


class Http2Protocol:
    """See `StreamsProtocol`.

    Attributes:
        most_streams: how many streams the peer takes at a time; more wait in line in here.
        streams: those that are open, by number.
    """

    version = "HTTP/2"
    refused = REFUSED_STREAM
    timer = None  # TCP has those

    def __init__(self, limits: Limits, peer: str) -> None:
        self.peer = peer
        self.limits = limits
        self.is_closing = self.is_over = False
        self.is_drained = True
        self.failure: RequestException | None = None
        self._last_words = b""
        self._rest = b""  # of a frame that has not come whole
        self.streams: dict[int, ResponseStream] = {}
        self.touched: list[ResponseStream] = []
        self.pings: list[ResponseStream] = []  # that wait for their answer
        self.most_streams = self._allowed_streams = UNTOLD_STREAMS
        self._window = CONNECTION_WINDOW
        self._least_window = CONNECTION_WINDOW // 4  # with less left than that it grows
        self.takes_protocols = False
        self._patience = Patience()
        self._quiet = 0  # bytes since the last event; negative: so many more are allowed
        self._now = 0.0
        self._ngh2 = ngh2.Connection(
            ngh2.Role.CLIENT,
            ngh2.Configuration(
                auto_window_update=False,
                max_continuations=MAX_CONTINUATIONS,
                max_inbound_header_list_size=limits.max_field_section,
                max_inbound_header_count=limits.max_fields + 1,  # and :status
                max_send_header_block_length=16 * 1024 * 1024,
            ),
        )
        self._ngh2.initiate_connection(_SETTINGS)
        self._ngh2.set_local_window_size(CONNECTION_WINDOW)

    @property
    def has_heard(self) -> bool:
        """True if something has come, whatever it was."""
        return self._now > 0.0

    # Out --------------------------------------------------------------------------------------

    def output(self, most: int, _now: float) -> bytes:
        """What has to be sent next, about `most` bytes; b"" if there is nothing.

        Sending may end streams, or the connection: see `touched` and `failure`.
        """
        self.is_drained = True
        if self.is_over:
            data, self._last_words = self._last_words, b""
            return data
        try:
            data = self._ngh2.data_to_send(most)
        except ngh2.NGH2Error as error:
            self._fail(RemoteProtocolError(f"{self.peer}: broke the rules of HTTP/2: {error}"))
            return b""
        self.is_drained = len(data) < most  # less than asked for is all there is
        events = self._ngh2.events()
        if events:
            self._handle(events)
        return data

    def on_time(self, now: float) -> None:
        """Nothing in here has a time."""

    @property
    def has_output(self) -> bool:
        """True if there may be something to send. May be asked without the lock."""
        if not self.is_over:
            try:  # `suppress` would take three times as long
                return self._ngh2.want_write
            except ngh2.ConnectionStateError:
                pass  # the stream has just ended in another thread
        return bool(self._last_words)

    def begin(self, fields: Iterable[Any], *, has_content: bool) -> ResponseStream:
        """Send the head of a request, on a new stream.

        Raises:
            ConnectionLost: the connection takes no more streams.
        """
        if self.is_over:
            raise ConnectionLost(f"{self.peer}: no new stream: the connection has ended")
        try:
            number = self._ngh2.send_request(fields, end_stream=not has_content)
        except ngh2.NGH2Error as error:
            self.is_closing = True
            raise ConnectionLost(f"{self.peer}: no new stream: {error}") from error
        stream = self.streams[number] = ResponseStream(number, has_ended_sending=not has_content)
        return stream

    def send(self, stream: ResponseStream, data: bytes, *, is_last: bool = False) -> None:
        """Queue content; it goes out as the peer's windows allow."""
        self._patience.count = 0
        if is_last:
            stream.has_ended_sending = True
        if not self.is_over:
            self._ngh2.send_data(stream.number, data, end_stream=is_last)

    def end(self, stream: ResponseStream) -> None:
        """The content of the request is complete."""
        stream.has_ended_sending = True
        if not self.is_over:
            self._ngh2.end_stream(stream.number)

    def queued(self, stream: ResponseStream) -> int:
        """Bytes of content that wait for the peer's windows. May be asked without the lock."""
        if not (stream.is_over or self.is_over):
            with suppress(ngh2.NGH2Error):  # the stream has just ended in another thread
                return self._ngh2.queued_body_size(stream.number)
        return 0

    def ping(self) -> ResponseStream:
        """Ask the peer for a sign of life: what is returned is `complete` when it has come."""
        sign = ResponseStream(0, has_ended_sending=True)
        self.pings.append(sign)
        if not self.is_over:
            self._ngh2.ping(b"gofer   ")
        return sign

    def take_pieces(self, stream: ResponseStream) -> list[bytes]:
        """The content that has come; the peer may send as much again."""
        pieces, stream.pieces = stream.pieces, []
        count = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        self._taken(count, stream.number)
        if not self.most_streams:
            self._allow_streams()
        if not stream.complete:
            before = stream.read
            stream.read = before + count
            if before <= STREAM_WINDOW < stream.read:
                self._enlarge(stream)
        return pieces

    def _enlarge(self, stream: ResponseStream) -> None:
        """Let the peer send further ahead of somebody who reads much: 100 MB take a quarter less.

        Only after reading: what nobody reads is no more than the first window.
        """
        if not (self.is_over or stream.is_over):
            with suppress(ngh2.NGH2Error):  # the stream ends in this moment
                self._ngh2.set_local_window_size(LARGE_STREAM_WINDOW, stream_id=stream.number)

    def _make_room(self) -> None:
        """What nobody reads must not take the whole window: others' answers have to come.

        libnghttp2 gives back what was read when it is half of it, so half is left if all is read.
        """
        self._window += CONNECTION_WINDOW
        self._least_window = self._window // 4
        self._ngh2.set_local_window_size(self._window)
        self._allow_streams()

    def _allow_streams(self) -> None:
        """As many as the peer allows; none while too much is unread."""
        unread = sum(len(piece) for stream in self.streams.values() for piece in stream.pieces)
        self.most_streams = self._allowed_streams if unread < MOST_UNREAD else 0

    def _taken(self, count: int, number: int) -> None:
        """The peer may send `count` bytes more."""
        if count and not self.is_over:
            self._ngh2.acknowledge_received_data(count, number)

    def forget(self, stream: ResponseStream) -> None:
        """Nobody wants more of `stream`: it ends here if it has not ended by itself."""
        if stream.pieces:
            self.take_pieces(stream)
        if self.streams.pop(stream.number, None) is None:
            return
        if not (self.is_over or (stream.is_over and stream.has_ended_sending)):
            self._quiet -= STREAM_WINDOW  # content still on its way is dropped without an event
            code = NO_ERROR if stream.complete else CANCEL
            self._ngh2.reset_stream(stream.number, code)
            stream.error_code = code

    # In ---------------------------------------------------------------------------------------

    def feed(self, pieces: Iterable[bytes | memoryview], now: float) -> None:
        """Take what came. See `touched` for the streams that have news, and `failure`.

        Args:
            now: monotonic seconds.
        """
        self._now = now
        for data in pieces:
            if self._rest:
                data = self._end_frame(data)
            if len(data) and not self.is_over:
                self._take_in(self._whole_frames(data))
        if not self.is_over and self._ngh2.local_window_size < self._least_window:
            self._make_room()

    def _take_in(self, whole: bytes | memoryview) -> None:
        """Take frames."""
        try:
            self._ngh2.receive_data(whole)
        except ngh2.DenialOfServiceError as error:
            kind = FieldSectionTooLarge if "header list" in str(error) else RemoteProtocolError
            self._fail(kind(f"{self.peer}: too much of HTTP/2: {error}"))
        except ngh2.NGH2Error as error:
            self._fail(RemoteProtocolError(f"{self.peer}: broke the rules of HTTP/2: {error}"))
        events = self._ngh2.events()
        if events:
            self._handle(events)
            if self._quiet > 0:
                self._quiet = 0
            return
        self._quiet += len(whole)
        if self._quiet > MAX_QUIET:
            self._refuse(f"over {MAX_QUIET} bytes of frames that lead nowhere")

    def _end_frame(self, data: bytes | memoryview) -> bytes | memoryview:
        """Take the frame that has begun, if its end has come; what is behind it."""
        begun = self._rest
        header = begun if len(begun) >= HEADER else begun + bytes(data[:HEADER])
        missing = len(data) + 1
        if len(header) >= HEADER:
            size = HEADER + (_first_four(header)[0] >> 8)
            # ngh2 says what is wrong with one that is too large
            missing = size - len(begun) if size <= HEADER + MAX_FRAME else len(data)
        if missing > len(data):
            self._rest = b"".join((begun, data))
            return b""
        self._rest = b""
        self._take_in(b"".join((begun, data[:missing])))
        return data[missing:]

    def _whole_frames(self, data: bytes | memoryview) -> bytes | memoryview:
        """As much of what came as ends with a frame; the rest waits for its own end.

        When a stream is reset ngh2 forgets what has come of a frame on it, and the window of the
        connection would stay smaller by as much, for good.
        """
        end, count = 0, len(data)
        while count - end >= HEADER:
            size = HEADER + (_first_four(data, end)[0] >> 8)
            if end + size > count:
                if size > HEADER + MAX_FRAME:
                    end = count  # against the rules: ngh2 says so
                break
            end += size
        if end == count:
            self._rest = b""
            return data
        self._rest = bytes(data[end:])
        return data[:end]

    def _handle(self, events: Iterable[Any]) -> None:
        touched = None
        for event in events:
            stream = _HANDLERS[type(event)](self, event)
            if stream is not None and stream is not touched:
                touched = stream
                self.touched.append(stream)

    def _fail(self, error: RequestException) -> None:
        self.failure = self.failure or error
        self.is_over = self.is_closing = True

    def _refuse(self, problem: str, kind: type[RequestException] = RemoteProtocolError) -> None:
        """The peer may be right by the rules, but it is too much of it."""
        if not self.is_over:
            self._ngh2.terminate_connection(ENHANCE_YOUR_CALM)
            self._last_words = self._ngh2.data_to_send()
            self._fail(kind(f"{self.peer}: {problem}"))

    def _on_idle(self, _event: Any) -> None:
        """One more frame without progress."""
        if self._patience.is_over(self._now):
            self._refuse(str(self._patience))

    def _on_connection_closed(self, event: Any) -> None:
        """What ngh2 had to say has been taken by `output`, and nothing can follow."""
        code, reason = event.error_code, event.debug_data.decode("latin-1")
        if code != NO_ERROR:
            self._fail(
                RemoteProtocolError(
                    f"{self.peer}: broke the rules of HTTP/2: {reason or 'error code'} ({code})"
                )
            )
        self.is_over = self.is_closing = True

    def _on_head(self, event: Any) -> ResponseStream | None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return None
        self._patience.count = 0
        status, fields = _head(event.headers)
        if status < 200:
            return self._malformed(stream, f"the status is {status}")
        if stream.interim and self._is_too_much(stream, stream.count_section(fields)):
            return None
        stream.status, stream.fields = status, fields
        stream.complete = event.end_stream
        return stream

    def _is_too_much(self, stream: ResponseStream, count: int) -> bool:
        """True if heads and trailers of one response together are over their limit."""
        most = self.limits.max_field_section
        if count > most:
            self.streams.pop(stream.number, None)  # its end may come with this
            self._refuse(
                f"over {most} bytes of heads and trailers (config: max_field_section)",
                FieldSectionTooLarge,
            )
        return count > most

    def _malformed(self, stream: ResponseStream, problem: str) -> ResponseStream:
        """An error of this stream alone (RFC 9113, 8.1.1)."""
        self.streams.pop(stream.number, None)
        stream.error_code, stream.problem = PROTOCOL_ERROR, problem
        if not self.is_over:
            self._ngh2.reset_stream(stream.number, PROTOCOL_ERROR)
        return stream

    def _on_interim(self, event: Any) -> ResponseStream | None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return None
        status, fields = _head(event.headers)
        if self._is_too_much(stream, stream.count_section(fields)):
            return None
        stream.interim = [*stream.interim, (status, fields)]
        self._on_idle(event)
        most = self.limits.max_interim_responses
        if len(stream.interim) > most:
            return self._malformed(stream, f"over {most} interim responses")
        if status == 101:
            return self._malformed(stream, "101 has no place in HTTP/2 (RFC 9113, 8.6)")
        return stream

    def _on_data(self, event: Any) -> ResponseStream | None:
        stream = self.streams.get(event.stream_id)
        data = event.data
        if stream is None:  # the exchange is over; the connection's window still has to be opened
            self._taken(len(data), event.stream_id)
            return None
        if data:
            self._patience.count = 0
            stream.pieces.append(data)
        elif not event.end_stream:
            self._on_idle(event)
            return None
        stream.complete = event.end_stream
        return stream

    def _on_trailers(self, event: Any) -> ResponseStream | None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            trailers = [(field[0], field[1]) for field in event.headers]
            if self._is_too_much(stream, stream.count_trailers(trailers)):
                return None
            stream.trailers = trailers
            stream.complete = True
        return stream

    def _on_closed(self, event: Any) -> ResponseStream | None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return None
        stream.has_ended_sending = True  # or the peer wants no more of it
        if stream.complete:
            return stream
        stream.error_code = event.error_code
        if event.error_code == PROTOCOL_ERROR and not stream.was_reset:
            stream.problem = (
                "its content is not as long as declared, or its trailers hold what has no place"
                " there, as a content-length"
                if stream.status
                else "field section or length"
            )
        if event.local_error is not None:
            stream.problem = str(event.local_error)
        return stream

    def _on_reset(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.was_reset = True

    def _on_goaway(self, _event: Any) -> None:
        # The streams it has not looked at are closed by ngh2, as refused.
        self.is_closing = True

    def _on_settings(self, event: Any) -> None:
        if not self.is_over:
            settings = self._ngh2.remote_settings
            self._allowed_streams = settings[ngh2.Setting.MAX_CONCURRENT_STREAMS]
            self._allow_streams()
            self.takes_protocols = settings[ngh2.Setting.ENABLE_CONNECT_PROTOCOL] == 1
        self._on_idle(event)

    def _on_pong(self, _event: Any) -> ResponseStream | None:
        if not self.pings:
            return None
        sign = self.pings.pop(0)
        sign.complete = True
        return sign


def _head(fields: Iterable[Any]) -> tuple[int, FieldSection]:
    """Status and fields of a head; that `:status` comes first, and once, is ngh2's to check."""
    (_, status), *lines = fields
    return int(status), FieldSection.of(lines, are_lower=True)


_kinds = [kind for kind in vars(ngh2).values() if isinstance(kind, type)]
_HANDLERS: dict[type, Any] = {
    # What means nothing to us
    **{kind: Http2Protocol._on_idle for kind in _kinds if issubclass(kind, ngh2.Event)},
    ngh2.ResponseReceived: Http2Protocol._on_head,
    ngh2.InformationalResponseReceived: Http2Protocol._on_interim,
    ngh2.DataReceived: Http2Protocol._on_data,
    ngh2.TrailersReceived: Http2Protocol._on_trailers,
    ngh2.StreamClosed: Http2Protocol._on_closed,
    ngh2.GoAwayReceived: Http2Protocol._on_goaway,
    ngh2.SettingsReceived: Http2Protocol._on_settings,
    ngh2.PingAcknowledged: Http2Protocol._on_pong,
    ngh2.StreamReset: Http2Protocol._on_reset,
    ngh2.ConnectionClosed: Http2Protocol._on_connection_closed,
}
