"""WebSockets: `session.websocket(url)`, for messages both ways (RFC 6455).

The opening is a request as any other: cookies, credentials, redirects, proxies, hooks and TLS are
the session's. What follows is `protocols/websocket.py`, over a `Duplex` of the network; here is who
waits for what. There is no task of its own: pings are answered, and asked, by who receives.

All of it is written once, in `AsyncWebSocket`; `WebSocket` has the same done for those who wait.
"""

import _thread
import contextlib
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any

from gofer.dropin.models import Response
from gofer.exceptions import (
    ConnectionLost,
    HTTPError,
    ReadTimeout,
    RequestException,
    WebSocketClosed,
    WriteTimeout,
)
from gofer.network.deadlines import earlier
from gofer.network.turns import Turns
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from typing import Self

    from gofer.client import Client
    from gofer.network.duplex import Duplex

__all__ = ["AsyncWebSocket", "WebSocket"]

NORMAL, GOING_AWAY = 1000, 1001  # RFC 6455, 7.4.1
MAX_UNREAD = 16 * 1024 * 1024  # bytes of messages heard while we send; one more message may follow
FAREWELL = 10.0  # seconds for the peer's goodbye
HANG_UP = 1.0  # seconds for it to close the connection after that


class AsyncWebSocket:
    """A conversation of messages, each str or bytes, of an `AsyncSession`: its methods are awaited.

    They do, and raise, what those of `WebSocket` do. `await` opens it, or `async with` does, and
    `async for` gives message after message. One task may receive while another sends.

    Attributes:
        response: the `Response` that opened it; None before.
        closed: why it has ended, a `WebSocketClosed`; None while it has not.
    """

    def __init__(
        self,
        client: "Client[Any, Any]",
        url: Any,
        subprotocols: Any,
        compress: bool,
        max_message: int,
        heartbeat: float | None,
        options: Mapping[str, Any],
    ) -> None:
        from gofer.protocols.websocket import WebSocketProtocol

        if isinstance(subprotocols, str | bytes):
            raise TypeError("subprotocols is a str, expected a list of them")
        self.response: Response | None = None
        self.closed: WebSocketClosed | None = None
        self._client = client
        self._url = url
        self._options = options
        self._heartbeat = heartbeat
        self._protocol = WebSocketProtocol(
            tuple(subprotocols), compress=compress, max_message=max_message
        )
        self._runtime: Any = None  # and turns, when it is opened: that may be in another loop
        self._reading: Any = None
        self._lock = _thread.allocate_lock()  # around the protocol; never held while we wait
        self._way: Duplex | None = None
        self._write_seconds: float | None = None
        self._is_asked = False  # the peer, for a sign of life
        self._pings = 0
        self._peer = ""

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of `subprotocols`; None if nothing."""
        return self._protocol.subprotocol

    # Opening ------------------------------------------------------------------------------------

    async def _open(self) -> "Self":
        if self._way is not None or self.closed is not None:
            return self
        response = self.response = await self._client._switch(
            self._url, self._protocol.fields(), **self._options
        )
        way = response._duplex
        if way is None:
            raise HTTPError(
                f"opening a WebSocket at {response.url}: got {response.status_code}"
                f" {response.reason}, expected a WebSocket",
                response=response,
            )
        response._duplex = None  # a response that is kept does not keep the connection
        try:
            self._protocol.accept(response.status_code, response.fields.lines)
        except RequestException as error:
            way.abort()
            error.request, error.response = response.request, response
            raise
        request = response.request
        self._runtime = self._client.network.runtime
        self._reading = Turns(self._runtime)
        self._peer = request.url_parsed.authority
        self._write_seconds = request.settings.timeouts.write
        request.deadline = None  # it was for the opening
        self._way = way
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
        await self._say(lambda: self._protocol.send(message))

    async def send_json(self, value: Any, **kwargs: Any) -> None:
        """Send a value as a text in JSON; `kwargs` go to `json.dumps`."""
        import json

        await self.send(json.dumps(value, **kwargs))

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message, as `WebSocket.receive`: str or bytes."""
        self._check_open()
        deadline = earlier(None, self._runtime.now(), timeout)
        await self._until(lambda: bool(self._protocol.messages), deadline)
        return self._protocol.take()

    async def receive_json(self, timeout: float | None = None, **kwargs: Any) -> Any:
        """The next message, read as JSON; `kwargs` go to `json.loads`."""
        import json

        return json.loads(await self.receive(timeout), **kwargs)

    async def ping(self, timeout: float | None = 10.0) -> float:
        """Ask the peer for a sign of life, as `WebSocket.ping`; the seconds until it came."""
        self._check_open()
        with self._lock:
            self._pings += 1
            data = b"gofer %d" % self._pings
        started: float = self._runtime.now()
        await self._say(lambda: self._protocol.ping(data))
        deadline = earlier(None, started, timeout)
        await self._until(lambda: data in self._protocol.pongs, deadline)
        seconds: float = self._runtime.now() - started
        return seconds

    async def close(self, code: int = NORMAL, reason: str = "", timeout: float = FAREWELL) -> None:
        """Say goodbye, as `WebSocket.close`, and let go of the connection; `timeout` in seconds."""
        if self._way is None:
            return
        deadline = earlier(None, self._runtime.now(), timeout)
        with contextlib.suppress(RequestException):  # it ends otherwise, or there is no answer
            if self._protocol.is_open:
                await self._say(lambda: self._protocol.close(code, reason))
            await self._until(self._is_over, deadline)
        self._end()

    def abort(self) -> None:
        """Let go of the connection at once, without a goodbye."""
        if self.closed is None:
            self._end(WebSocketClosed(f"{self._peer}: the WebSocket is closed: we let go of it"))

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketClosed as error:
            if error.code in (NORMAL, GOING_AWAY):
                raise StopAsyncIteration from None
            raise

    def __repr__(self) -> str:
        if self._way is not None:
            return f"<WebSocket {self._peer}, open>"
        return f"<WebSocket {self._why()}>"

    # What is waited for -------------------------------------------------------------------------

    async def _say(self, say: Callable[[], None]) -> None:
        """Have the protocol say something, and send it; hear the peer if it takes nothing before.

        Raises:
            WebSocketClosed, WriteTimeout.
        """
        with self._lock:
            way = self._way
            if way is None or not self._protocol.is_open:
                raise self._why()
            say()
            way.queue(self._protocol.output())
        deadline = earlier(None, self._runtime.now(), self._write_seconds)
        try:
            while not await way.flush(deadline):
                await self._hear(way, deadline)
        except TimedOut:
            self._break("the peer took nothing for too long")
            raise WriteTimeout(
                f"{self._peer}: sending on a WebSocket: nothing was taken for"
                f" {self._write_seconds} seconds"
            ) from None
        except OSError as error:
            self._break(error)
            raise self._why() from error

    def _check_open(self) -> None:
        if self._way is None and not self._protocol.messages:
            raise self._why()

    async def _until(self, is_ready: Callable[[], bool], deadline: float | None) -> None:
        """Hear the peer until `is_ready()`, or until there is nothing more to hear.

        Raises:
            ReadTimeout, WebSocketClosed.
        """
        try:
            while not is_ready():
                await self._reading.take(deadline)
                try:
                    if is_ready():
                        return
                    way = self._way
                    if way is None:
                        raise self._why()
                    await self._hear_next(way, deadline)
                finally:
                    self._reading.leave()
        except TimedOut:
            raise ReadTimeout(
                f"{self._peer}: waiting for a WebSocket's message: none came"
            ) from None

    async def _hear_next(self, way: "Duplex", deadline: float | None) -> None:
        """Hear what comes next, and answer what has to be answered. It is our turn to read.

        Raises:
            TimedOut: `deadline` passed first.
            WebSocketClosed: the connection broke, or the peer shows no sign of life.
        """
        protocol, now = self._protocol, self._runtime.now
        try:
            try:
                if not protocol.is_over:
                    data = await way.receive(earlier(deadline, now(), self._heartbeat))
                    self._is_asked = False
                    self._feed(way, data)
            except TimedOut:
                if deadline is not None and now() >= deadline:
                    raise
                self._ask_for_life(way)
            if protocol.is_over:
                await self._finish(way)
            else:  # what is not taken now goes with the next
                await way.flush(deadline)
        except OSError as error:
            self._break(error)
            raise self._why() from error

    async def _hear(self, way: "Duplex", deadline: float | None) -> None:
        """Hear the peer, who takes nothing before it has been heard.

        Raises:
            TimedOut: `deadline` passed first, or it has more to say than we keep.
        """
        await self._reading.take(deadline)
        try:
            if self._protocol.unread > MAX_UNREAD:
                raise TimedOut
            self._feed(way, await way.receive(deadline))
        finally:
            self._reading.leave()

    def _feed(self, way: "Duplex", data: bytes) -> None:
        with self._lock:
            self._protocol.feed(data, self._runtime.now())
            output = self._protocol.output()
            if output:
                way.queue(output)

    def _ask_for_life(self, way: "Duplex") -> None:
        if self._is_asked:
            raise ConnectionLost(f"no sign of life within {self._heartbeat} seconds")
        self._is_asked = True
        with self._lock:
            if self._protocol.is_open:
                self._protocol.ping(b"gofer")
                way.queue(self._protocol.output())

    # How it ends --------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        self._protocol.messages.clear()  # nobody will receive them
        return self._way is None

    async def _finish(self, way: "Duplex") -> None:
        """Both have said goodbye, or the peer has failed: send our last word, and let go."""
        protocol = self._protocol
        deadline = self._runtime.now() + HANG_UP
        with contextlib.suppress(TimedOut, OSError):  # it is over in any case
            await way.flush(deadline)
            await way.end(deadline)
            while not (protocol.has_ended or protocol.problem):
                self._feed(way, await way.receive(deadline))
        self._end()

    def _break(self, reason: object) -> None:
        """The connection is of no use any more."""
        self._end(WebSocketClosed(f"{self._peer}: the WebSocket broke: {reason}"))

    def _end(self, why: WebSocketClosed | None = None) -> None:
        way, self._way = self._way, None
        if self.closed is None:
            self.closed = why or self._ending()
            self.closed.response = self.response
        if way is not None:
            way.abort()

    def _ending(self) -> WebSocketClosed:
        code, reason, text = self._protocol.ending
        words = f"{self._peer}: the WebSocket is closed: {text}"
        return WebSocketClosed(words, code=code, reason=reason, response=self.response)

    def _why(self) -> WebSocketClosed:
        """The exception for whoever wants more of it: each has one of its own."""
        closed = self.closed
        if closed is not None:
            return WebSocketClosed(
                *closed.args, code=closed.code, reason=closed.reason, response=closed.response
            )
        if self._way is None:
            return WebSocketClosed("the WebSocket is not open yet: await it, or use `async with`")
        return self._ending()


class WebSocket:
    """A conversation of messages, each str or bytes, of a `Session`: its methods wait.

    One thread may receive while another sends. `with` closes it at the end.

    `for` gives message after message; it ends when either side closes with code 1000 or 1001, and
    raises `WebSocketClosed` when the end is another.
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
            timeout: seconds; None for as long as it takes, and the peer is there.

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

    def close(self, code: int = NORMAL, reason: str = "", timeout: float = FAREWELL) -> None:
        """Say goodbye, wait for the peer's goodbye, and let go of the connection.

        Messages that come meanwhile are lost. Closing twice does nothing.

        Args:
            code: why (RFC 6455, 7.4.1): 1000, or 3000 to 4999 for the application's own.
            reason: at most 123 bytes of UTF-8.
            timeout: seconds.

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
