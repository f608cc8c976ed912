"""What `http2.py` needs of ngh2, by h2: HTTP/2 in pure Python, where only that is installed.

The same names, the same meaning; forty times the price for each frame. What is an error of one
stream to ngh2 is often one of the whole connection here.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

import h2.events
from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import DenialOfServiceError as TooMuch
from h2.exceptions import FrameTooLargeError, H2Error, ProtocolError
from h2.settings import Settings
from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack import NeverIndexedHeaderTuple as NeverIndexedHeader

__all__ = [
    "Configuration", "Connection", "ConnectionStateError", "DenialOfServiceError", "NGH2Error",
    "NeverIndexedHeader", "Role", "Setting",
]  # fmt: skip

HEADER = 9  # bytes of a frame's (RFC 9113, 4.1)
RST_STREAM = 0x3  # a frame's type (RFC 9113, 6.4)
MOST_TOLD = 10_000  # streams remembered that were reset
PROTOCOL_ERROR = 0x1  # RFC 9113, 7
REFUSED_STREAM = 0x7


class NGH2Error(Exception):
    """The peer, or we, broke the rules."""


class ConnectionStateError(NGH2Error):
    """Never raised: h2 can always be asked."""


class DenialOfServiceError(NGH2Error):
    """It is too much of something."""


class Role(IntEnum):
    CLIENT = 0


class Setting(IntEnum):
    """RFC 9113, 6.5.2; RFC 8441, 3; RFC 9218, 2.1."""

    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_HEADER_LIST_SIZE = 0x6
    ENABLE_CONNECT_PROTOCOL = 0x8
    NO_RFC7540_PRIORITIES = 0x9


class Configuration:
    """The limits that count here; h2 has others of its own."""

    def __init__(
        self, *, max_inbound_header_list_size: int, max_inbound_header_count: int, **_: Any
    ) -> None:
        self.most_bytes = max_inbound_header_list_size
        self.most_fields = max_inbound_header_count


# Events -----------------------------------------------------------------------------------------


class Event:
    """Something that has happened; what kind of it is its class."""

    stream_id = 0
    headers: Any = ()
    data = b""
    end_stream = False
    error_code = 0
    local_error: Exception | None = None
    debug_data = b""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


class ResponseReceived(Event): ...


class InformationalResponseReceived(Event): ...


class TrailersReceived(Event): ...


class DataReceived(Event): ...


class StreamReset(Event): ...


class StreamClosed(Event): ...


class GoAwayReceived(Event): ...


class SettingsReceived(Event): ...


class PingAcknowledged(Event): ...


class ConnectionClosed(Event): ...


_STATUS = re.compile(rb"[1-5][0-9][0-9]").fullmatch
_HEADS: dict[type, type[Event]] = {
    h2.events.ResponseReceived: ResponseReceived,
    h2.events.InformationalResponseReceived: InformationalResponseReceived,
    h2.events.TrailersReceived: TrailersReceived,
}


class Unreadable(ProtocolError):
    """A field section that is no HPACK: the state of the table is lost (RFC 9113, 4.3)."""

    error_code = ErrorCodes.COMPRESSION_ERROR


class OnIdleStream(ProtocolError):
    """A frame on a stream that nobody has opened."""


class _Decoder(Decoder):
    """Says what is wrong by an error that h2 passes on, where its own has another code."""

    def decode(self, data: bytes, raw: bool = False) -> Any:
        try:
            return super().decode(data, raw)
        except OversizedHeaderListError:
            raise
        except (HPACKError, IndexError, TypeError, UnicodeDecodeError) as error:
            reason = str(error).partition(":")[0]  # behind it may be what came
            raise Unreadable(f"a field section that is no HPACK: {reason}") from error


class Connection:
    """One connection's client side."""

    def __init__(self, _role: Role, configuration: Configuration) -> None:
        self._limits = configuration
        self._h2 = H2Connection(
            H2Configuration(header_encoding=None, validate_outbound_headers=False)
        )
        self._events: list[Event] = []
        self._queues: dict[int, deque[memoryview]] = {}  # of content that waits for its window
        self._ended: set[int] = set()  # whose content is complete
        self._failure: Event | None = None  # of the connection; the peer is to be told first
        self._said = bytearray()  # what h2 has to send and `output` has not taken
        self._told: dict[int, None] = {}  # streams that the peer has been told to be reset
        self._window = 65535  # of the connection, as we have told it
        self._stream_window = 65535
        self.want_write = False

    @property
    def local_window_size(self) -> int:
        return int(self._h2.inbound_flow_control_window)

    # Out ----------------------------------------------------------------------------------------

    def initiate_connection(self, settings: Mapping[Setting, int]) -> None:
        values = {int(name): value for name, value in settings.items()}
        values[Setting.MAX_HEADER_LIST_SIZE] = self._limits.most_bytes
        self._stream_window = values[Setting.INITIAL_WINDOW_SIZE]
        self._h2.local_settings = Settings(client=True, initial_values=values)  # type: ignore[arg-type]
        self._h2.decoder = _Decoder(self._limits.most_bytes)  # h2 would have 64 KiB
        self._h2.initiate_connection()
        self._said += self._h2.data_to_send()  # the preface, which is no frame
        self.want_write = True

    def set_local_window_size(self, window_size: int, *, stream_id: int = 0) -> None:
        try:
            if stream_id:
                self._h2.increment_flow_control_window(window_size - self._stream_window, stream_id)
            else:
                self._h2.increment_flow_control_window(window_size - self._window)
                self._window = window_size
        except H2Error as error:
            raise NGH2Error(str(error)) from error
        self.want_write = True

    def data_to_send(self, amount: int | None = None) -> bytes:
        self._listen()
        data = bytes(self._said[:amount])
        del self._said[:amount]
        self.want_write = bool(self._said)
        if self._failure is not None and not self.want_write:
            self._events.append(self._failure)  # the peer knows
            self._failure = None
        return data

    def _listen(self) -> None:
        """Take over what h2 has to say, but that a stream is reset no more than once.

        h2 says so for every frame that still comes on it, which a peer takes for an attack.
        """
        data = self._h2.data_to_send()
        end = 0
        while end < len(data):
            start, end = end, end + HEADER + int.from_bytes(data[end : end + 3])
            if data[start + 3] == RST_STREAM:
                number = int.from_bytes(data[start + 5 : start + HEADER])
                if number in self._told:
                    continue
                if len(self._told) >= MOST_TOLD:
                    del self._told[next(iter(self._told))]
                self._told[number] = None
            self._said += data[start:end]

    def send_request(self, headers: Iterable[Any], *, end_stream: bool = False) -> int:
        try:
            number = self._h2.get_next_available_stream_id()
            self._h2.send_headers(number, list(headers), end_stream)
        except H2Error as error:
            raise NGH2Error(str(error) or type(error).__name__) from error
        if not end_stream:
            self._queues[number] = deque()
        self.want_write = True
        return number

    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        queue = self._queues.get(stream_id)
        if queue is not None:
            queue.append(memoryview(data))
            if end_stream:
                self._ended.add(stream_id)
            self._pump(stream_id)

    def end_stream(self, stream_id: int) -> None:
        if stream_id in self._queues:
            self._ended.add(stream_id)
            self._pump(stream_id)

    def queued_body_size(self, stream_id: int) -> int:
        return sum(map(len, self._queues.get(stream_id, ())))

    def _pump(self, stream_id: int) -> None:
        """Send as much content as the windows allow, and its end."""
        queue = self._queues[stream_id]
        try:
            while queue:
                room = self._h2.local_flow_control_window(stream_id)
                size = min(room, self._h2.max_outbound_frame_size, len(queue[0]))
                if size <= 0 and queue[0]:
                    return
                piece, rest = queue[0][:size], queue[0][size:]
                is_last = not rest and len(queue) == 1 and stream_id in self._ended
                self._h2.send_data(stream_id, bytes(piece), end_stream=is_last)
                self.want_write = True
                if is_last:
                    self._forget(stream_id)
                    return
                if rest:
                    queue[0] = rest
                else:
                    queue.popleft()
            if stream_id in self._ended:
                self._h2.end_stream(stream_id)
                self._forget(stream_id)
                self.want_write = True
        except H2Error:
            self._forget(stream_id)  # its end has come otherwise, or will

    def _forget(self, stream_id: int) -> None:
        self._queues.pop(stream_id, None)
        self._ended.discard(stream_id)

    def ping(self, opaque_data: bytes) -> None:
        self._h2.ping(opaque_data)
        self.want_write = True

    def acknowledge_received_data(self, amount: int, stream_id: int) -> None:
        try:
            self._h2.acknowledge_received_data(amount, stream_id)
        except (H2Error, KeyError):
            return  # the stream is over
        self.want_write = True

    def reset_stream(self, stream_id: int, error_code: int) -> None:
        self._forget(stream_id)
        try:
            self._h2.reset_stream(stream_id, error_code)
        except H2Error:
            return  # it is over
        self.want_write = True

    def terminate_connection(self, error_code: int) -> None:
        self._h2.close_connection(error_code)
        self.want_write = True

    @property
    def remote_settings(self) -> dict[Setting, int]:
        settings = self._h2.remote_settings
        return {
            Setting.MAX_CONCURRENT_STREAMS: settings.max_concurrent_streams,
            Setting.ENABLE_CONNECT_PROTOCOL: settings.enable_connect_protocol,
        }

    # In -----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take frames. Raises NGH2Error; what has to be said about it is there to be sent."""
        self.want_write = True  # perhaps
        if self._failure is not None:
            return  # the connection has failed: whatever follows does not matter
        data = bytes(data)
        try:
            while data:  # one frame at a time: h2 drops everything after a GOAWAY
                size = HEADER + int.from_bytes(data[:3])
                if size > HEADER + self._h2.max_inbound_frame_size:
                    raise FrameTooLargeError("a frame is larger than allowed")
                if data[3] == RST_STREAM:
                    self._check_reset(int.from_bytes(data[5:HEADER]))
                for event in self._h2.receive_data(data[:size]):
                    self._take(event)
                data = data[size:]
        except TooMuch as error:
            raise DenialOfServiceError(f"header list: {error}") from error
        except H2Error as error:
            words = str(error) or type(error).__name__
            code = int(getattr(error, "error_code", PROTOCOL_ERROR))
            if isinstance(error, FrameTooLargeError | OnIdleStream):
                self._h2.close_connection(code)
            self._failure = ConnectionClosed(error_code=code, debug_data=words.encode())

    def _check_reset(self, number: int) -> None:
        """h2 takes no notice of RST_STREAM on a stream that has never been (RFC 9113, 6.4)."""
        if number % 2 == 0 or number >= self._h2.get_next_available_stream_id():
            raise OnIdleStream("RST_STREAM on an idle stream")

    def events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _take(self, event: Any) -> None:
        kind = type(event)
        put = self._events.append
        if kind in _HEADS:
            if kind is not h2.events.TrailersReceived and not _STATUS(event.headers[0][1]):
                self.reset_stream(event.stream_id, PROTOCOL_ERROR)
                put(StreamClosed(stream_id=event.stream_id, error_code=PROTOCOL_ERROR))
                return
            if len(event.headers) > self._limits.most_fields:
                raise TooMuch(f"over {self._limits.most_fields} fields")
            has_ended = getattr(event, "stream_ended", None) is not None
            put(_HEADS[kind](
                stream_id=event.stream_id, headers=event.headers, end_stream=has_ended
            ))  # fmt: skip
        elif kind is h2.events.DataReceived:
            padding = event.flow_controlled_length - len(event.data)
            if padding:
                self.acknowledge_received_data(padding, event.stream_id)
            has_ended = event.stream_ended is not None
            put(DataReceived(stream_id=event.stream_id, data=event.data, end_stream=has_ended))
        elif kind is h2.events.StreamEnded:
            put(StreamClosed(stream_id=event.stream_id))
        elif kind is h2.events.StreamReset:
            self._forget(event.stream_id)
            if event.remote_reset:
                put(StreamReset(stream_id=event.stream_id))
            put(StreamClosed(stream_id=event.stream_id, error_code=int(event.error_code)))
        elif kind is h2.events.ConnectionTerminated:
            self._on_goodbye(event)
        elif kind is h2.events.PingAckReceived:
            put(PingAcknowledged())
        elif kind in (h2.events.RemoteSettingsChanged, h2.events.WindowUpdated):
            for stream_id in list(self._queues):
                self._pump(stream_id)
            put(SettingsReceived() if kind is h2.events.RemoteSettingsChanged else Event())
        else:
            put(Event())

    def _on_goodbye(self, event: Any) -> None:
        """The streams that the peer has not looked at are refused (RFC 9113, 6.8)."""
        self._events.append(GoAwayReceived())
        last = event.last_stream_id
        for stream_id in sorted(self._h2.streams):
            if last is not None and stream_id > last and stream_id % 2:
                self._forget(stream_id)
                self._events.append(StreamClosed(stream_id=stream_id, error_code=REFUSED_STREAM))
        if not int(event.error_code):
            # The others go on, which h2 would not let them.
            self._h2.state_machine.state = ConnectionState.CLIENT_OPEN
        else:
            self._events.append(ConnectionClosed(
                error_code=int(event.error_code), debug_data=event.additional_data or b""
            ))  # fmt: skip
