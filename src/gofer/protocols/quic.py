"""A QUIC connection (RFC 9000) without I/O, as HTTP/3 uses it: datagrams in and out, by qh3.

Packets, TLS, loss and windows are qh3's. Here is what becomes of its events and of its errors, and
how much a peer may try us. What there is to be done about streams is `http3.py`'s.

What the peer does wrong on the connection becomes `failure`; the datagram that tells the peer so is
the last that `output` gives.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from qh3.h3.connection import ErrorCode
from qh3.quic import events
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
from gofer.protocols.streams import Patience, ResponseStream

__all__ = ["QuicProtocol"]

# RFC 9001, 4.8: a TLS alert as an error code; the alerts about certificates (RFC 8446, 6.2)
CRYPTO_ERROR = 0x100
_CERTIFICATE_ALERTS = frozenset((42, 43, 44, 45, 46, 48))
_PLAIN_WORDS = {  # for alerts of a peer that says no more (RFC 8446, 6.2); as in `network/tls.py`
    42: "the server did not accept the client certificate",
    48: "the server does not know the client certificate's authority",
    112: "the server knows no such host",
    116: "the server requires a client certificate",
    120: "the server speaks none of the protocols offered",
}
NO_ERROR = (0x0, ErrorCode.H3_NO_ERROR)  # of QUIC, of HTTP/3

for _name in ("quic", "http3"):  # or qh3's warnings about peers would be printed
    logging.getLogger(_name).addHandler(logging.NullHandler())


class QuicProtocol:
    """What `StreamsProtocol` asks for and QUIC sees to.

    Attributes:
        handshake: complete as soon as QUIC's and TLS's are.
        quic: qh3's connection, which knows what was agreed on.

    Args:
        address: the peer's, as numbers: (host, port).
        now: monotonic seconds.
    """

    def __init__(
        self, configuration: QuicConfiguration, peer: str, address: tuple[str, int], now: float
    ) -> None:
        self.peer = peer
        self.is_closing = self.is_over = False
        self.is_drained = False
        self.has_output = True
        self.failure: RequestException | None = None
        self.timer: float | None = None
        self.touched: list[ResponseStream] = []
        self.handshake = ResponseStream(-1, has_ended_sending=True)
        self._pings: dict[int, ResponseStream] = {}  # that wait for their answer, by uid
        self._ping_count = 0
        self._datagrams: deque[bytes] = deque()  # to be sent
        self._patience = Patience()
        self._now = now
        self._address = address
        self.quic = QuicConnection(configuration=configuration)
        self.quic.connect(address, now)

    @property
    def has_heard(self) -> bool:
        """True if the peer has answered: something came that only who got our first packet can say.

        Anybody can send a datagram; it takes our connection ID to seal one (RFC 9001, 5.2 and 5.8).
        """
        return self.quic._state is not State.FIRSTFLIGHT or self.quic._retry_count > 0

    # Of the streams -----------------------------------------------------------------------------

    def _on_stream(self, event: Any) -> None:
        """News of a stream."""
        raise NotImplementedError

    def _has_settled(self) -> None:
        """Whatever has come was taken in."""
        raise NotImplementedError

    def _has_sent(self) -> None:
        """Datagrams were made of what there was to be sent."""
        raise NotImplementedError

    # Out ----------------------------------------------------------------------------------------

    def output(self, _most: int, now: float) -> bytes:
        """The next datagram to be sent; b"" if there is none."""
        datagrams = self._datagrams
        if not datagrams and not self.is_over:
            datagrams.extend(data for data, _ in self._try(self.quic.datagrams_to_send, now) or ())
            self.timer = self._try(self.quic.get_timer)
            self._has_sent()
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

    def ping(self) -> ResponseStream:
        """Ask the peer for a sign of life: what is returned is `complete` when it has come."""
        sign = ResponseStream(-1, has_ended_sending=True)
        if not self.is_over:
            self._ping_count += 1
            self._pings[self._ping_count] = sign
            self.quic.send_ping(self._ping_count)
            self.has_output = True
        return sign

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
            handle = _HANDLERS.get(type(event)) or QuicProtocol._on_idle
            handle(self, event)
        closed = self.quic._close_event  # the event itself waits until QUIC has drained
        if closed is not None:
            self._on_terminated(closed)
        self._has_settled()
        self.has_output = True

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

    def _on_terminated(self, event: events.ConnectionTerminated) -> None:
        code, alert = event.error_code, event.error_code - CRYPTO_ERROR
        reason = event.reason_phrase or _PLAIN_WORDS.get(alert) or "no reason given"
        is_ours = self.quic._state not in (State.DRAINING, State.TERMINATED)
        if event.frame_type is not None and CRYPTO_ERROR <= code < CRYPTO_ERROR + 256:
            is_certificate = is_ours and alert in _CERTIFICATE_ALERTS
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

    def _on_handshake(self, _event: events.HandshakeCompleted) -> None:
        self.handshake.complete = True
        self.touched.append(self.handshake)

    def _on_pong(self, event: events.PingAcknowledged) -> None:
        sign = self._pings.pop(event.uid, None)
        if sign is not None:
            sign.complete = True
            self.touched.append(sign)


def _joined(next_event: Callable[[], Any]) -> Iterator[Any]:
    """QUIC's events; what came on one stream in several datagrams, one behind the other, is one.

    100 MB take a tenth less so.
    """
    event = next_event()
    while event is not None:
        following = next_event()
        if type(event) is events.StreamDataReceived:
            number, pieces = event.stream_id, [event.data]
            while (
                type(following) is events.StreamDataReceived
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


_HANDLERS: dict[type, Any] = {
    events.StreamDataReceived: lambda self, event: self._on_stream(event),
    events.StreamReset: lambda self, event: self._on_stream(event),
    events.StopSendingReceived: lambda self, event: self._on_stream(event),
    events.HandshakeCompleted: QuicProtocol._on_handshake,
    events.PingAcknowledged: QuicProtocol._on_pong,
    events.ConnectionTerminated: QuicProtocol._on_terminated,
}
