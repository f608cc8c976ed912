"""WebSocket (RFC 6455) without I/O: messages in and out, by the core of `websockets`.

Framing, masking, the opening's fields and `permessage-deflate` (RFC 7692) are that package's; how
frames become messages, the limits, and what counts as a flood, are ours. It has no lock: whoever
drives it holds one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from gofer.exceptions import RemoteProtocolError
from gofer.protocols.streams import Patience

try:
    from websockets.client import ClientProtocol
    from websockets.datastructures import Headers as Fields
    from websockets.exceptions import InvalidHandshake, WebSocketException
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Response as Answer
    from websockets.protocol import OPEN
    from websockets.uri import parse_uri
except ImportError as error:
    raise ImportError("WebSocket needs websockets: pip install gofer[ws]") from error

__all__ = ["WebSocketProtocol"]

ABNORMAL, INVALID_DATA, POLICY = 1006, 1007, 1008  # RFC 6455, 7.4.1
MAX_REASON = 123  # bytes (RFC 6455, 5.5)

MESSAGE = 100  # bytes that one takes in memory beside its own

_PING = b"gofer %d"  # what our pings carry: their number
_SOMEWHERE = "ws://origin/"  # HTTP, not this, knows where the request goes


class WebSocketProtocol:
    """The client's side of one conversation.

    Attributes:
        unread: bytes of the messages that have come and nobody has taken.
        subprotocol: what was agreed on to speak inside; None if nothing was.
        answered: the number of the last ping that was.

    Args:
        subprotocols: names to offer, best first.
        compress: offer permessage-deflate.
        max_message: bytes of a message that is received, uncompressed.
    """

    def __init__(
        self, subprotocols: tuple[str, ...] = (), *, compress: bool = True, max_message: int
    ) -> None:
        extensions = [ClientPerMessageDeflateFactory(client_max_window_bits=True)]
        core: Any = ClientProtocol(
            parse_uri(_SOMEWHERE),
            subprotocols=list(subprotocols) or None,  # type: ignore[arg-type]
            extensions=extensions if compress else None,
            state=OPEN,  # the opening is an exchange of HTTP, which is not read here
            max_size=max_message,
        )
        self._core = core
        self._messages: deque[tuple[str | bytes, int]] = deque()  # and their bytes
        self.unread = 0
        self._pings = 0
        self.answered = 0
        self._kind: Any = None  # of the message that is coming
        self._parts = bytearray()
        self._patience = Patience()
        self._problem = ""

    # The opening --------------------------------------------------------------------------------

    def fields(self) -> dict[str, str]:
        """The fields of the request that opens it (RFC 6455, 4.1)."""
        fields = dict(self._core.connect().headers.raw_items())
        del fields["Host"]
        return fields

    def accept(self, status: int, lines: Sequence[tuple[bytes, bytes]]) -> None:
        """Check the answer, which agrees: 101, or 2xx where the stream of a connection is meant.

        Raises:
            RemoteProtocolError: it does not fit to the request.
        """
        core = self._core
        fields = Fields([(str(name, "latin-1"), str(value, "latin-1")) for name, value in lines])
        try:
            if status == 101:
                core.process_response(Answer(status, "", fields))
            else:
                core.extensions = core.process_extensions(fields)
                core.subprotocol = core.process_subprotocol(fields)
        except (InvalidHandshake, WebSocketException) as error:
            raise RemoteProtocolError(f"opening a WebSocket: {error}") from error

    @property
    def subprotocol(self) -> str | None:
        return self._core.subprotocol  # type: ignore[no-any-return]

    # Out ----------------------------------------------------------------------------------------

    def send(self, message: str | bytes) -> None:
        """Send a message."""
        if isinstance(message, str):
            self._core.send_text(message.encode("utf-8"))
        else:
            self._core.send_binary(message)
        self._patience.count = 0

    def ping(self) -> int:
        """Ask for a pong; its number, from 1 on."""
        self._pings += 1
        self._core.send_ping(_PING % self._pings)
        return self._pings

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, if nobody has yet.

        Raises:
            ValueError: the code is none that may be sent, or the reason is too long.
        """
        if len(reason.encode("utf-8")) > MAX_REASON:
            raise ValueError(
                f"closing a WebSocket: the reason is too long, over {MAX_REASON} bytes"
            )
        if self._core.state is OPEN:
            try:
                self._core.send_close(code, reason)
            except WebSocketException as error:
                raise ValueError(f"closing a WebSocket: {error}") from error

    def output(self) -> bytes:
        """What has to be sent."""
        return b"".join(self._core.data_to_send())

    # In -----------------------------------------------------------------------------------------

    def feed(self, data: bytes, now: float) -> None:
        """Take what came; b"" for the end. `take` gives messages, `output` what is to be said."""
        core = self._core
        if core.reader.eof:
            return
        if data:
            core.receive_data(data)
        else:
            core.receive_eof()
        for frame in core.events_received():
            self._receive(frame, now)
            if self._problem:  # what is behind it is not heard (RFC 6455, 7.1.7)
                return

    def _receive(self, frame: Frame, now: float) -> None:
        kind = frame.opcode
        if kind is Opcode.PONG:
            self._receive_pong(bytes(frame.data))
        if kind in (Opcode.PING, Opcode.PONG) or not (frame.data or frame.fin):
            if self._patience.is_over(now):
                self._fail(POLICY, str(self._patience))
            return
        if kind is Opcode.CLOSE:
            return
        if kind is not Opcode.CONT:
            self._kind = kind
        self._parts += frame.data
        if not frame.fin:
            return
        parts, self._parts = self._parts, bytearray()
        self._patience.count = 0
        try:
            message = bytes(parts) if self._kind is not Opcode.TEXT else parts.decode("utf-8")
        except UnicodeDecodeError:
            self._fail(INVALID_DATA, "a text that is not UTF-8")
            return
        size = MESSAGE + len(parts)
        self.unread += size
        self._messages.append((message, size))

    def _receive_pong(self, data: bytes) -> None:
        """An answer to one ping is one to those before it (RFC 6455, 5.5.3)."""
        digits = data.removeprefix(_PING[:-2])
        number = int(digits) if digits.isdigit() and len(digits) < 20 else 0
        if number <= self._pings and data == _PING % number:  # else it was never asked
            self.answered = max(self.answered, number)

    @property
    def has_message(self) -> bool:
        """True if there is one to `take`."""
        return bool(self._messages)

    def take(self) -> str | bytes:
        """The next message; there must be one."""
        message, size = self._messages.popleft()
        self.unread -= size
        return message

    def forget_messages(self) -> None:
        """Nobody will take those that have come."""
        self._messages.clear()
        self.unread = 0

    def _fail(self, code: int, problem: str) -> None:
        self._problem = self._problem or problem
        if self._core.state is OPEN:
            self._core.fail(code, problem)

    # How it ends --------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True while both sides may send messages."""
        return self._core.state is OPEN

    @property
    def has_closed(self) -> bool:
        """True when we have said goodbye."""
        return self._core.close_sent is not None

    @property
    def is_over(self) -> bool:
        """True when no message can come any more: the peer has said so, is gone, or is at fault."""
        core = self._core
        return core.close_rcvd is not None or core.reader.eof or bool(self.problem)

    @property
    def has_ended(self) -> bool:
        """True when nothing at all can come any more."""
        return self._core.reader.eof  # type: ignore[no-any-return]

    @property
    def problem(self) -> str:
        """What the peer did that it must not; "" if nothing."""
        error = self._core.parser_exc
        if self._problem or error is None or isinstance(error, EOFError):
            return self._problem
        return str(error)

    @property
    def ending(self) -> tuple[int, str, str]:
        """Why it is over: the code, the peer's reason, and in words what happened."""
        sent, received = self._core.close_sent, self._core.close_rcvd
        if self.problem:
            code = ABNORMAL if sent is None else sent.code
            return code, "", f"the peer broke the rules: {self.problem}"
        if received is not None:
            return received.code, received.reason, f"the peer closed it, code {received.code}"
        if sent is not None:
            return sent.code, "", f"we closed it, code {sent.code}"
        return ABNORMAL, "", "the connection ended without a goodbye"
