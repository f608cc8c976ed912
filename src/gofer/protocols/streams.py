"""What the protocols of shared connections have in common: many streams, one exchange on each.

`ResponseStream` is what has come on one of them; `Patience` is how much a peer may try it.
`StreamsProtocol` is the contract between such a protocol (`http2.py`, `http3.py`), which does no
I/O, and whoever drives it (`network/sharing.py`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from gofer.exceptions import RequestException
from gofer.messages.fields import FieldSection

__all__ = ["LINE", "Patience", "ResponseStream", "StreamsProtocol"]

MAX_IDLE_EVENTS = 1000  # frames without progress, within
IDLE_EVENTS_SECONDS = 10.0
LINE = 32  # bytes that a field line counts beside its name and value (RFC 9113, 6.5.2)


class ResponseStream:
    """What has come of the response on one stream.

    Attributes:
        number: the stream's identifier.
        status: int, 0 until the final head is there.
        fields: its field section.
        interim: [(status, fields)] of the 1xx heads before it.
        pieces: content that nobody has taken yet.
        complete: nothing more will come, and nothing is missing.
        error_code: why the stream ended before that (RFC 9113, 7; RFC 9114, 8.1); None if it did
            not.
        was_reset: it was the peer who ended it so.
        problem: what a peer did wrong on this stream alone.
        is_deaf: the peer wants no more of the request.
        has_ended_sending: our side of the stream is done.
        read: bytes of content that somebody has taken.
        has_place: it counts among the exchanges of its connection; the pool's to change.
        field_bytes: of its field sections together, where there are more than the head.
        outlet: what whoever sends on it waits for, where another receives from it meanwhile.
    """

    __slots__ = (
        "complete", "error_code", "field_bytes", "fields", "has_ended_sending", "has_place",
        "interim", "is_deaf", "number", "outlet", "pieces", "problem", "read", "status", "trailers",
        "was_reset",
    )  # fmt: skip

    def __init__(self, number: int, *, has_ended_sending: bool) -> None:
        self.number = number
        self.status = self.read = self.field_bytes = 0
        self.fields: FieldSection | None = None
        self.interim: Sequence[tuple[int, FieldSection]] = ()
        self.trailers: Sequence[tuple[bytes, bytes]] = ()
        self.pieces: list[bytes] = []
        self.complete = self.was_reset = self.is_deaf = False
        self.error_code: int | None = None
        self.problem = ""
        self.has_ended_sending = has_ended_sending
        self.has_place = True
        self.outlet: ResponseStream | None = None

    @property
    def is_over(self) -> bool:
        """True if nothing more will come."""
        return self.complete or self.error_code is not None

    def count_section(self, lines: Iterable[tuple[bytes, bytes]]) -> int:
        """Bytes of its field sections with this one (RFC 9113, 6.5.2; RFC 9114, 4.2.2).

        A head that comes alone need not be counted: it has a limit of its own.
        """
        self.field_bytes += sum(len(name) + len(value) + LINE for name, value in lines)
        return self.field_bytes

    def count_trailers(self, lines: Iterable[tuple[bytes, bytes]]) -> int:
        """The same for the trailer section."""
        if not self.interim and self.fields is not None:
            self.count_section(self.fields)
        return self.count_section(lines)


class Patience:
    """How many frames without progress are accepted: a few are normal, many are a flood.

    Attributes:
        count: of them, since there was progress; who sees some sets it to 0.
    """

    __slots__ = ("_since", "count")

    def __init__(self) -> None:
        self.count = 0
        self._since = 0.0

    def is_over(self, now: float) -> bool:
        """One more of them: true if it is one too many."""
        if now - self._since > IDLE_EVENTS_SECONDS:
            self._since = now
            self.count = 0
        self.count += 1
        return self.count > MAX_IDLE_EVENTS

    def __str__(self) -> str:
        return (
            f"over {MAX_IDLE_EVENTS} frames within {IDLE_EVENTS_SECONDS:g} seconds that lead"
            " nowhere"
        )


class StreamsProtocol(Protocol):
    """The client's side of one connection, without I/O and without a lock: its driver has one.

    Attributes:
        version: what a response says of it, such as "HTTP/2".
        refused: the error code of a stream that the peer has not looked at.
        is_closing: the peer takes no new streams.
        has_heard: something has come, whatever it was.
        is_over: nothing can be said or heard any more.
        is_drained: `output` has given all there is, until somebody has more to say.
        most_streams: how many streams the peer takes at a time.
        takes_protocols: the peer lets other protocols be spoken on streams (RFC 8441, RFC 9220).
        failure: why it is of no use, if that is the peer's fault.
        streams: those that are open, by number.
        touched: streams that have news; whoever drives takes them out.
        timer: monotonic seconds at which `on_time` wants to be called; None for never.
    """

    version: str
    refused: int
    is_closing: bool
    is_over: bool
    is_drained: bool
    most_streams: int
    failure: RequestException | None
    streams: Any
    touched: list[ResponseStream]

    @property
    def takes_protocols(self) -> bool: ...

    @property
    def has_heard(self) -> bool: ...

    @property
    def timer(self) -> float | None: ...

    @property
    def has_output(self) -> bool:
        """True if there may be something to send. May be asked without the lock."""

    def begin(self, fields: Iterable[Any], *, has_content: bool) -> ResponseStream:
        """Send the head of a request, on a new stream.

        Raises:
            ConnectionLost: the connection takes no more streams.
        """

    def send(self, stream: ResponseStream, data: bytes, *, is_last: bool = False) -> None:
        """Queue content. Behind the last nothing can be sent, and its frame says so."""

    def end(self, stream: ResponseStream) -> None:
        """The content of the request is complete."""

    def queued(self, stream: ResponseStream) -> int:
        """Bytes of content that have not gone out. May be asked without the lock."""

    def ping(self) -> ResponseStream:
        """Ask the peer for a sign of life: what is returned is `complete` when it has come."""

    def take_pieces(self, stream: ResponseStream) -> list[bytes]:
        """The content that has come; the peer may send as much again."""

    def forget(self, stream: ResponseStream) -> None:
        """Nobody wants more of `stream`: it ends here if it has not ended by itself."""

    def feed(self, pieces: Sequence[bytes | memoryview], now: float) -> None:
        """Take what came: bytes of a stream, or whole datagrams.

        See `touched` for the streams that have news, and `failure`.
        """

    def output(self, most: int, now: float) -> bytes:
        """What has to be sent next, about `most` bytes or one datagram; b"" if there is nothing."""

    def on_time(self, now: float) -> None:
        """`timer` has come to its time."""
