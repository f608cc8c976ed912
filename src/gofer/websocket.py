"""WebSockets: `session.websocket(url)`, for messages both ways (RFC 6455).

The opening is a request as any other: cookies, credentials, redirects, proxies, hooks and TLS are
the session's. What follows is `network/websocket.py`. `WebSocket` drives what `AsyncWebSocket`
awaits; neither has behaviour of its own.
"""

from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any

from gofer.dropin.models import Response
from gofer.exceptions import WebSocketClosed
from gofer.messages.fields import TOKEN
from gofer.network.sharing import GLANCE
from gofer.network.websocket import Conversation, begin
from gofer.timeouts import seconds

if TYPE_CHECKING:
    from typing import Self

    from gofer.client import Client

__all__ = ["AsyncWebSocket", "WebSocket"]

NORMAL, GOING_AWAY, NO_STATUS = 1000, 1001, 1005  # RFC 6455, 7.4.1
FAREWELL = 10.0  # seconds for the peer's goodbye
NOT_OPEN = "the WebSocket is not open yet: await it, or use `async with`"


class AsyncWebSocket:
    """A conversation of messages, each str or bytes, of an `AsyncSession`: its methods are awaited.

    They do, and raise, what those of `WebSocket` do. `await` opens it, or `async with` does, and
    `async for` gives message after message. One task may receive while another sends, or several.

    Attributes:
        response: the `Response` that opened it; None before.
    """

    def __init__(
        self,
        client: "Client[Any, Any, Any]",
        url: Any,
        subprotocols: Any,
        compress: bool,
        max_message: int,
        heartbeat: float | None,
        options: Mapping[str, Any],
    ) -> None:
        from gofer.protocols.websocket import WebSocketProtocol

        names = _checked_names(subprotocols)
        if not (isinstance(max_message, int) and max_message > 0):
            raise ValueError(
                f"max_message must be an int, in bytes and greater than 0, not {max_message!r:.60}"
            )
        self.response: Response | None = None
        self._client = client
        self._url = url
        self._options = options
        self._heartbeat = seconds(heartbeat, "heartbeat")
        self._protocol = WebSocketProtocol(names, compress=compress, max_message=max_message)
        self._conversation: Conversation | None = None  # until it is opened
        self._closed: WebSocketClosed | None = None  # if it was given up before that

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of `subprotocols`; None if nothing."""
        return self._protocol.subprotocol

    @property
    def closed(self) -> WebSocketClosed | None:
        """Why it has ended; None while it has not."""
        return self._closed if self._conversation is None else self._conversation.closed

    # Opening ------------------------------------------------------------------------------------

    async def _open(self) -> "Self":
        if self._conversation is not None or self.closed is not None:
            return self
        client = self._client
        self.response = await client._switch_(self._url, self._protocol.fields(), **self._options)
        self._conversation = begin(
            self.response, self._protocol, client.network.runtime, self._heartbeat
        )
        if self._closed is not None:  # meanwhile
            self._conversation.abort()
        return self

    def __await__(self) -> "Generator[Any, None, Self]":
        return self._open().__await__()

    async def __aenter__(self) -> "Self":
        return await self._open()

    async def __aexit__(self, kind: Any, *exc_info: object) -> None:
        if kind is None:
            await self.close()
        else:
            self.abort()

    # Messages -----------------------------------------------------------------------------------

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message, as `WebSocket.send`: str as text, bytes as they are."""
        if isinstance(message, bytearray | memoryview):
            message = bytes(message)
        elif not isinstance(message, str | bytes):
            raise TypeError(
                f"sending a message: got {type(message).__name__}, expected str or bytes"
            )
        await self._opened().send(message)

    async def send_json(self, value: Any, **kwargs: Any) -> None:
        """Send a value as a text in JSON; `kwargs` go to `json.dumps`."""
        import json

        await self.send(json.dumps(value, **kwargs))

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message, as `WebSocket.receive`: str or bytes."""
        timeout = _checked(timeout)
        return await self._opened().receive(timeout)

    async def receive_json(self, timeout: float | None = None, **kwargs: Any) -> Any:
        """The next message, read as JSON; `kwargs` go to `json.loads`."""
        import json

        return json.loads(await self.receive(timeout), **kwargs)

    async def ping(self, timeout: float | None = 10.0) -> float:
        """Ask the peer for a sign of life, as `WebSocket.ping`; the seconds until it came."""
        timeout = _checked(timeout)
        return await self._opened().ping(timeout)

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketClosed as error:
            if error.code in (NORMAL, GOING_AWAY, NO_STATUS):
                raise StopAsyncIteration from None
            raise

    def _opened(self) -> Conversation:
        """Raises WebSocketClosed: it has not been opened."""
        if self._conversation is None:
            raise WebSocketClosed(str(self._closed or NOT_OPEN))
        return self._conversation

    # Its end ------------------------------------------------------------------------------------

    async def close(
        self, code: int = NORMAL, reason: str = "", timeout: float | None = FAREWELL
    ) -> None:
        """Say goodbye, as `WebSocket.close`, and let go of the connection; `timeout` in seconds."""
        timeout = _checked(timeout)
        if self._conversation is not None:
            await self._conversation.close(code, reason, timeout)

    def abort(self) -> None:
        """Let go of the connection at once, without a goodbye."""
        if self._conversation is not None:
            self._conversation.abort()
        elif self._closed is None:
            self._closed = WebSocketClosed("the WebSocket is closed: we let go of it")

    def __repr__(self) -> str:
        if self._conversation is not None and self.closed is None:
            return f"<WebSocket {self._conversation.peer}, open>"
        return f"<WebSocket {self.closed or NOT_OPEN}>"


class WebSocket:
    """A conversation of messages, each str or bytes, of a `Session`: its methods wait.

    One thread may receive while another sends, or several. `with` closes it at the end.

    `for` gives message after message; it ends when either side closes with code 1000 or 1001, or
    without one (1005), and raises `WebSocketClosed` when the end is another.
    """

    def __init__(
        self, socket: AsyncWebSocket, drive: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._socket = socket
        self._drive = drive
        drive(socket._open())

    @property
    def response(self) -> Response:
        """The `Response` that opened it."""
        return self._socket.response  # type: ignore[return-value]  # it is open

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of `subprotocols`; None if nothing."""
        return self._socket.subprotocol

    @property
    def closed(self) -> WebSocketClosed | None:
        """Why it has ended; None while it has not."""
        return self._socket.closed

    def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message: str as text, bytes as they are. Returns when the system has it.

        Raises:
            WebSocketClosed: it has ended.
            WriteTimeout: the peer takes nothing; the conversation is over then.
        """
        self._drive(self._socket.send(message))

    def send_json(self, value: Any, **kwargs: Any) -> None:
        """Send a value as a text in JSON; `kwargs` go to `json.dumps`. Raises as `send`."""
        self._drive(self._socket.send_json(value, **kwargs))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message: str or bytes.

        Args:
            timeout: seconds; 0 for what has come; None for as long as it takes, and the peer is
                there.

        Raises:
            ReadTimeout: nothing came within `timeout`. The conversation goes on.
            WebSocketClosed: it has ended, and all its messages have been received.
        """
        return self._drive(self._socket.receive(timeout))  # type: ignore[no-any-return]

    def receive_json(self, timeout: float | None = None, **kwargs: Any) -> Any:
        """The next message, read as JSON; `kwargs` go to `json.loads`.

        Raises:
            json.JSONDecodeError: it is none; others as `receive`.
        """
        return self._drive(self._socket.receive_json(timeout, **kwargs))

    def ping(self, timeout: float | None = 10.0) -> float:
        """Ask the peer for a sign of life; the seconds until it came.

        Messages that come meanwhile are kept for `receive`.

        Raises:
            ReadTimeout: none came within `timeout` seconds.
            WebSocketClosed: it has ended.
        """
        return self._drive(self._socket.ping(timeout))  # type: ignore[no-any-return]

    def close(self, code: int = NORMAL, reason: str = "", timeout: float | None = FAREWELL) -> None:
        """Say goodbye, wait for the peer's goodbye, and let go of the connection.

        Messages that come meanwhile are lost. Closing twice does nothing.

        Args:
            code: why (RFC 6455, 7.4.1): 1000, or 3000 to 4999 for the application's own.
            reason: at most 123 bytes of UTF-8.
            timeout: seconds, also for what is still being sent.

        Raises:
            ValueError: such a code may not be sent, or the reason is too long.
        """
        self._drive(self._socket.close(code, reason, timeout))

    def abort(self) -> None:
        """Let go of the connection at once, without a goodbye."""
        self._socket.abort()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, kind: Any, *exc_info: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __iter__(self) -> "Self":
        return self

    def __next__(self) -> str | bytes:
        try:
            return self._drive(self._socket.__anext__())  # type: ignore[no-any-return]
        except StopAsyncIteration:
            raise StopIteration from None

    def __repr__(self) -> str:
        return repr(self._socket)


def _checked(timeout: Any) -> float | None:
    """Seconds to wait, or None.

    0 is what has come, and a little is needed to look.

    Raises:
        ValueError: it is something else.
    """
    if timeout == 0 and not isinstance(timeout, bool):
        return GLANCE
    return seconds(timeout, "timeout")


def _checked_names(subprotocols: Any) -> tuple[str, ...]:
    """Raises ValueError, TypeError: they are none that can be offered (RFC 6455, 4.1)."""
    if isinstance(subprotocols, str | bytes):
        raise TypeError("subprotocols is a str, expected a list of them")
    names = tuple(subprotocols)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"subprotocols holds {name!r:.60}, expected str")
        if not TOKEN.fullmatch(name):
            raise ValueError(f"subprotocols holds {name!r:.60}, expected a token (RFC 9110, 5.6.2)")
    if len(set(names)) < len(names):
        raise ValueError(f"subprotocols holds a name twice, expected it once: {list(names)!r:.60}")
    return names
