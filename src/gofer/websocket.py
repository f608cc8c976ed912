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

from gofer.config import seconds
from gofer.dropin.models import Response
from gofer.exceptions import (
    ConnectionLost,
    HTTPError,
    ReadTimeout,
    RequestException,
    WebSocketClosed,
    WriteTimeout,
)
from gofer.messages.fields import TOKEN
from gofer.messages.url import without_secrets
from gofer.network.deadlines import earlier
from gofer.runtime.base import Event, TimedOut

if TYPE_CHECKING:
    from typing import Self

    from gofer.client import Client
    from gofer.network.duplex import Duplex

__all__ = ["AsyncWebSocket", "WebSocket"]

NORMAL, GOING_AWAY, NO_STATUS = 1000, 1001, 1005  # RFC 6455, 7.4.1
MAX_UNREAD = 16 * 1024 * 1024  # bytes of messages that nobody takes; then nothing more is heard
PIECE = 16 * 1024  # bytes taken at a time before that is looked at: they may grow a thousandfold
FAREWELL = 10.0  # seconds for the peer's goodbye
LAST_LOOK = 0.1  # seconds for what has come, before a peer is taken for dead
GLANCE = 0.02  # seconds for what has come to turn out to be more than TLS's own talk


class AsyncWebSocket:
    """A conversation of messages, each str or bytes, of an `AsyncSession`: its methods are awaited.

    They do, and raise, what those of `WebSocket` do. `await` opens it, or `async with` does, and
    `async for` gives message after message. One task may receive while another sends, or several.

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

        names = _checked_names(subprotocols)
        if not (isinstance(max_message, int) and max_message > 0):
            raise ValueError(
                f"max_message must be an int, in bytes and greater than 0, not {max_message!r:.60}"
            )
        self.response: Response | None = None
        self.closed: WebSocketClosed | None = None
        self._client = client
        self._url = url
        self._options = options
        self._heartbeat = seconds(heartbeat, "heartbeat")
        self._protocol = WebSocketProtocol(names, compress=compress, max_message=max_message)
        self._runtime: Any = None  # when it is opened: that may be in another loop
        # Around the protocol and what follows; never held while we wait.
        self._lock = _thread.allocate_lock()
        self._way: Duplex | None = None
        self._is_reading = False  # somebody, for all
        self._heard = 0  # times that something was
        self._unfed = b""  # what came, and there was no room for
        self._waiting: dict[Event, Callable[[], bool]] = {}  # who waits for what
        self._write_seconds: float | None = None
        self._heard_at = 0.0  # when something was
        self._asked_at: float | None = None  # for a sign of life, since then
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
                f"opening a WebSocket at {without_secrets(response.url)}: got"
                f" {response.status_code} {response.reason}, expected a WebSocket",
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
        self._peer = request.url_parsed.authority
        self._write_seconds = request.settings.timeouts.write
        request.deadline = None  # it was for the opening
        self._heard_at = self._runtime.now()
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
        timeout = _checked(timeout)
        self._check_open()
        deadline = earlier(None, self._runtime.now(), timeout)
        protocol = self._protocol
        try:
            message: str | bytes = await self._until(
                lambda: protocol.has_message, deadline, protocol.take
            )
        except TimedOut:
            raise ReadTimeout(
                f"{self._peer}: waiting for a WebSocket's message: none came"
            ) from None
        return message

    async def receive_json(self, timeout: float | None = None, **kwargs: Any) -> Any:
        """The next message, read as JSON; `kwargs` go to `json.loads`."""
        import json

        return json.loads(await self.receive(timeout), **kwargs)

    async def ping(self, timeout: float | None = 10.0) -> float:
        """Ask the peer for a sign of life, as `WebSocket.ping`; the seconds until it came."""
        timeout = _checked(timeout)
        self._check_open()
        protocol = self._protocol
        started: float = self._runtime.now()
        deadline = earlier(None, started, timeout)
        try:
            number: int = await self._say(protocol.ping, deadline)
            await self._until(lambda: protocol.answered >= number, deadline)
        except TimedOut:
            raise ReadTimeout(
                f"{self._peer}: waiting for a WebSocket's sign of life: none came"
            ) from None
        taken: float = self._runtime.now() - started
        return taken

    async def close(
        self, code: int = NORMAL, reason: str = "", timeout: float | None = FAREWELL
    ) -> None:
        """Say goodbye, as `WebSocket.close`, and let go of the connection; `timeout` in seconds."""
        timeout = _checked(timeout)
        if self._way is None:
            return
        deadline = earlier(None, self._runtime.now(), timeout)
        with contextlib.suppress(RequestException, TimedOut):  # it ends otherwise, or too late
            if self._protocol.is_open:
                with contextlib.suppress(WebSocketClosed):  # somebody else was faster
                    await self._say(lambda: self._protocol.close(code, reason), deadline)
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
            if error.code in (NORMAL, GOING_AWAY, NO_STATUS):
                raise StopAsyncIteration from None
            raise

    def __repr__(self) -> str:
        if self._way is not None:
            return f"<WebSocket {self._peer}, open>"
        return f"<WebSocket {self._why()}>"

    # What is waited for -------------------------------------------------------------------------

    async def _say(self, say: Callable[[], Any], until: float | None = None) -> Any:
        """Have the protocol say something, and send it; hear the peer if it takes nothing before.

        Returns:
            What `say` does.

        Raises:
            TimedOut: `until` passed first; it goes out with the next.
            WebSocketClosed, WriteTimeout.
        """
        with self._lock:
            way = self._way
            if way is None or not self._protocol.is_open:
                raise self._why()
            said = say()
            self._queue_locked(way)
        now = self._runtime.now
        deadline = earlier(until, now(), self._write_seconds)
        try:
            while True:
                heard = self._heard
                if await way.flush(deadline):
                    return said
                await self._hear_since(heard, deadline)
        except TimedOut:
            if until is not None and now() >= until:
                raise
            self._break("the peer took nothing for too long")
            raise WriteTimeout(
                f"{self._peer}: sending on a WebSocket: nothing was taken for"
                f" {self._write_seconds} seconds"
            ) from None
        except OSError as error:
            with contextlib.suppress(TimedOut, OSError):  # it may have said why, and gone
                await self._until(lambda: self._protocol.is_over, now() + LAST_LOOK)
            self._break(error)
            raise self._why() from error

    async def _hear_since(self, heard: int, deadline: float | None) -> None:
        """Return when the peer, who takes nothing before, has been heard; or soon.

        Soon, for it may take something all the same: what has come may be TLS's own talk, or there
        may be no room for more.

        Raises:
            TimedOut: `deadline` has passed.
            WebSocketClosed: it has ended.
        """
        now = self._runtime.now
        try:
            await self._until(lambda: self._heard != heard, earlier(deadline, now(), GLANCE))
        except TimedOut:
            if deadline is not None and now() >= deadline:
                raise

    def _check_open(self) -> None:
        if self._way is None and not self._protocol.has_message:
            raise self._why()

    # One reads for all --------------------------------------------------------------------------

    async def _until(
        self,
        is_ready: Callable[[], bool],
        deadline: float | None,
        take: Callable[[], Any] | None = None,
    ) -> Any:
        """Wait until `is_ready()`, which is called with the lock held, as `take` is in that moment.

        Whoever waits and finds nobody reading reads for all, wakes those who have what they wait
        for, and leaves the rest to another, as in `network/sharing.py`.

        Returns:
            What `take` does.

        Raises:
            TimedOut: `deadline` passed first.
            WebSocketClosed: there is nothing more to hear.
        """
        while True:
            event: Event | None = None
            with self._lock:
                if is_ready():
                    taken = None if take is None else take()
                    self._wake_locked()
                    return taken
                way = self._way
                if way is None:
                    raise self._why()
                if self._can_read:
                    self._is_reading = True
                else:
                    event = self._runtime.event()
                    self._waiting[event] = is_ready
            if event is None:
                await self._hear_until(way, is_ready, deadline)
                continue
            try:
                await event.wait(deadline)
            except BaseException:
                with self._lock:
                    if self._waiting.pop(event, None) is None:
                        self._wake_locked()  # we were woken in this very moment, perhaps to read
                raise

    async def _hear_until(
        self, way: "Duplex", is_ready: Callable[[], bool], deadline: float | None
    ) -> None:
        """Read for all, until `is_ready()`, or there is nothing more to hear or no room for it."""
        try:
            while True:
                await self._hear_next(way, deadline)
                with self._lock:
                    if self._way is None or is_ready() or not self._has_room:
                        return
        finally:
            with self._lock:
                self._is_reading = False
                self._wake_locked()

    @property
    def _has_room(self) -> bool:
        return self._protocol.unread <= MAX_UNREAD

    @property
    def _can_read(self) -> bool:
        return not self._is_reading and self._has_room

    def _wake_locked(self) -> None:
        """Wake those who have what they wait for, and somebody to read if nobody does."""
        for event, is_ready in list(self._waiting.items()):
            if self._way is None or is_ready():
                del self._waiting[event]
                event.set()
        if self._waiting and self._can_read:
            event = next(iter(self._waiting))
            del self._waiting[event]
            event.set()

    async def _hear_next(self, way: "Duplex", deadline: float | None) -> None:
        """Hear what comes next, and answer what has to be answered. It is us who read.

        Raises:
            TimedOut: `deadline` passed first.
            WebSocketClosed: the connection broke, or the peer shows no sign of life.
        """
        protocol, now = self._protocol, self._runtime.now
        try:
            try:
                if self._unfed:
                    self._feed(way, self._unfed)
                elif not protocol.is_over:
                    data = await way.receive(self._listen_until(way, deadline))
                    self._heard_at, self._asked_at = now(), None
                    self._feed(way, data)
            except TimedOut:
                if self._is_silent_since(self._asked_at):
                    raise ConnectionLost(
                        f"no sign of life within {self._heartbeat} seconds"
                    ) from None
                if deadline is not None and now() >= deadline:
                    raise
            if protocol.is_over:
                await self._finish(way, deadline)
        except OSError as error:
            self._break(error)
            raise self._why() from error

    def _feed(self, way: "Duplex", data: bytes) -> None:
        """Take what came, as far as there is room for it."""
        protocol = self._protocol
        with self._lock:
            rest = memoryview(data)
            while True:
                protocol.feed(bytes(rest[:PIECE]), self._runtime.now())
                rest = rest[PIECE:]
                if not rest or protocol.is_over or not self._has_room:
                    break
            self._unfed = b"" if protocol.is_over else bytes(rest)
            self._heard += 1
            has_answer = self._queue_locked(way)
            self._wake_locked()
        if has_answer and not protocol.is_over:
            # What does not fit goes with the next, or while we listen. If it does not go at all,
            # what else has come says why.
            with contextlib.suppress(OSError):
                way.flush_now()

    def _listen_until(self, way: "Duplex", deadline: float | None) -> float | None:
        """When the silence will have lasted too long; the peer is asked for a sign of life by then.

        However many have listened for how short: what counts is when something was last heard.
        """
        if self._heartbeat is None:
            return deadline
        now: float = self._runtime.now()
        if self._is_silent_since(self._asked_at):
            return now + LAST_LOOK  # what came while nobody listened is heard first
        if self._asked_at is None and self._is_silent_since(self._heard_at):
            self._asked_at = now
            self._ask_for_life(way)
        since = self._heard_at if self._asked_at is None else self._asked_at
        return earlier(deadline, since, self._heartbeat)

    def _is_silent_since(self, since: float | None) -> bool:
        """True if `since` is so long ago that the peer should have been heard."""
        if since is None or self._heartbeat is None:
            return False
        now: float = self._runtime.now()
        return now >= since + self._heartbeat

    def _ask_for_life(self, way: "Duplex") -> None:
        with self._lock:
            if self._protocol.is_open:
                self._protocol.ping()
                self._queue_locked(way)
        way.flush_now()

    def _queue_locked(self, way: "Duplex") -> bool:
        """Have sent what the protocol has to say; False if that is nothing.

        Behind a goodbye nothing is said, and on a shared connection its frame ends our side: a
        frame of its own for that would come when hypercorn has forgotten the stream, and would
        take the whole connection down.
        """
        output = self._protocol.output()
        if output:
            way.queue(output, is_last=self._protocol.has_closed)
        return bool(output)

    # How it ends --------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        self._protocol.forget_messages()  # nobody will receive them
        return self._way is None

    async def _finish(self, way: "Duplex", deadline: float | None) -> None:
        """Both have said goodbye, or the peer has failed: send our last word, and let go."""
        protocol = self._protocol
        until = earlier(deadline, self._runtime.now(), way.hang_up)
        is_flushed = protocol.has_ended  # nobody would read it
        with contextlib.suppress(TimedOut, OSError):  # it is over in any case
            while not (is_flushed and (protocol.has_ended or protocol.problem)):
                is_flushed = await way.flush(until) or bool(protocol.problem)
                if not (protocol.has_ended or protocol.problem):
                    self._feed(way, await way.receive(until))
        self._end()

    def _break(self, reason: object) -> None:
        """The connection is of no use any more."""
        self._end(WebSocketClosed(f"{self._peer}: the WebSocket broke: {reason}"))

    def _end(self, why: WebSocketClosed | None = None) -> None:
        with self._lock:
            way = self._way
            if self.closed is None:  # before anybody can find the way gone, and no reason
                closed = why or self._ending()
                closed.response = self.response
                self.closed = closed
            self._way = None
            self._wake_locked()
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
