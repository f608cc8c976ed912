"""A WebSocket's conversation, from its opening to its end (RFC 6455): what is done when.

What is said is `protocols/websocket.py`, by what way `duplex.py`, who waits for what
`one_reader.py`. There is no task of its own: who reads answers pings too, and asks a peer that is
silent for a sign of life (`heartbeat.py`). Who sends, and finds that nothing fits, hears the peer
meanwhile.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gofer.exceptions import (
    ConnectionLost,
    HTTPError,
    ReadTimeout,
    RequestException,
    WebSocketClosed,
    WriteTimeout,
)
from gofer.messages.response import Response
from gofer.messages.url import without_secrets
from gofer.network.deadlines import earlier
from gofer.network.heartbeat import LAST_LOOK, Heartbeat
from gofer.network.one_reader import OneReader
from gofer.network.sharing import GLANCE
from gofer.runtime.base import Runtime, TimedOut

if TYPE_CHECKING:
    from gofer.network.duplex import Duplex
    from gofer.protocols.websocket import WebSocketProtocol

__all__ = ["Conversation", "begin"]

MAX_UNREAD = 16 * 1024 * 1024  # bytes of messages that nobody takes; then nothing more is heard
PIECE = 16 * 1024  # bytes taken at a time before that is looked at: they may grow a thousandfold


def begin(
    response: Response, protocol: "WebSocketProtocol", runtime: Runtime, heartbeat: float | None
) -> "Conversation":
    """The conversation that `response` opens.

    Raises:
        HTTPError: it opens none.
        RemoteProtocolError: it does not fit to what was asked.
    """
    way = response._duplex
    if way is None:
        raise HTTPError(
            f"opening a WebSocket at {without_secrets(response.url)}: got {response.status_code}"
            f" {response.reason}, expected a WebSocket",
            response=response,
        )
    response._duplex = None  # a response that is kept does not keep the connection
    try:
        protocol.accept(response.status_code, response.fields.lines)
    except RequestException as error:
        way.abort()
        error.request = response.request  # type: ignore[assignment]
        error.response = response  # type: ignore[assignment]
        raise
    response.request.deadline = None  # it was for the opening
    return Conversation(way, protocol, runtime, response, heartbeat)


class Conversation(OneReader):
    """Messages both ways, until either side ends it. Threads, greenlets or tasks may share it.

    Attributes:
        peer: host:port, for messages.
        closed: why it has ended; None while it has not.
    """

    __slots__ = (
        "_heard", "_heartbeat", "_protocol", "_response", "_unfed", "_way", "_write_seconds",
        "closed", "peer",
    )  # fmt: skip

    def __init__(
        self,
        way: "Duplex",
        protocol: "WebSocketProtocol",
        runtime: Runtime,
        response: Response,
        heartbeat: float | None,
    ) -> None:
        super().__init__(runtime)
        request = response.request
        self.peer: str = request.url_parsed.authority
        self.closed: WebSocketClosed | None = None
        self._way: Duplex | None = way  # None when it is over
        self._protocol = protocol
        self._response = response
        self._heartbeat = Heartbeat(heartbeat, runtime.now())
        self._write_seconds: float | None = request.settings.timeouts.write
        self._heard = 0  # times that something was
        self._unfed = b""  # what came, and there was no room for

    async def send(self, message: str | bytes) -> None:
        """Return when the system has it.

        Raises:
            WebSocketClosed, WriteTimeout.
        """
        await self._say(lambda: self._protocol.send(message))

    async def receive(self, seconds: float | None) -> str | bytes:
        """The next message.

        Raises:
            ReadTimeout: there was none within `seconds`.
            WebSocketClosed: it is over, and all its messages have been received.
        """
        protocol = self._protocol
        deadline = earlier(None, self._runtime.now(), seconds)
        try:
            message: str | bytes = await self._until(
                lambda: protocol.has_message, deadline, protocol.take
            )
        except TimedOut:
            raise ReadTimeout(
                f"{self.peer}: waiting for a WebSocket's message: none came"
            ) from None
        return message

    async def ping(self, seconds: float | None) -> float:
        """The seconds until the peer gives a sign of life.

        Raises:
            ReadTimeout: that was not within `seconds`.
            WebSocketClosed, WriteTimeout.
        """
        protocol, now = self._protocol, self._runtime.now
        started = now()
        deadline = earlier(None, started, seconds)
        try:
            number: int = await self._say(protocol.ping, deadline)
            await self._until(lambda: protocol.answered >= number, deadline)
        except TimedOut:
            raise ReadTimeout(
                f"{self.peer}: waiting for a WebSocket's sign of life: none came"
            ) from None
        return now() - started

    async def close(self, code: int, reason: str, seconds: float | None) -> None:
        """Say goodbye, wait `seconds` for the peer's goodbye, and let go of the connection.

        Whoever is cancelled meanwhile has let go of it too.

        Raises:
            ValueError: such a code may not be sent, or the reason is too long.
        """
        if self._way is None:
            return
        deadline = earlier(None, self._runtime.now(), seconds)
        try:
            with suppress(RequestException, TimedOut):  # it ends otherwise, or too late
                if self._protocol.is_open:
                    with suppress(WebSocketClosed):  # somebody else was faster
                        await self._say(lambda: self._protocol.close(code, reason), deadline)
                await self._until(self._ends_unheard, deadline)
        except Exception:  # that cannot be said: it goes on
            raise
        except BaseException:  # we are cancelled: nobody else will see to it
            self._end()
            raise
        self._end()

    def _ends_unheard(self) -> bool:
        self._protocol.forget_messages()  # nobody will receive them
        return self._is_over

    def abort(self) -> None:
        """Let go of the connection at once, without a goodbye."""
        self._end("is closed: we let go of it")

    # Sending ------------------------------------------------------------------------------------

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
                await self._hear(heard, deadline)
        except TimedOut:
            if until is not None and now() >= until:
                raise
            self._break("the peer took nothing for too long")
            raise WriteTimeout(
                f"{self.peer}: sending on a WebSocket: nothing was taken for"
                f" {self._write_seconds} seconds"
            ) from None
        except OSError as error:
            with suppress(TimedOut, OSError):  # it may have said why, and gone
                await self._until(lambda: self._protocol.is_over, now() + LAST_LOOK)
            self._break(error)
            raise self._why() from error

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

    async def _hear(self, heard: int, deadline: float | None) -> None:
        """Return when the peer, who takes nothing before, has been heard again; or soon.

        Soon, for it may take something all the same: what has come may be TLS's own talk, or there
        may be no room for more.

        Args:
            heard: how often it had been.

        Raises:
            TimedOut: `deadline` has passed.
            WebSocketClosed: it is over.
        """
        now = self._runtime.now
        try:
            await self._until(lambda: self._heard != heard, earlier(deadline, now(), GLANCE))
        except TimedOut:
            if deadline is not None and now() >= deadline:
                raise

    # Receiving ----------------------------------------------------------------------------------

    @property
    def _is_over(self) -> bool:
        return self._way is None

    @property
    def _has_room(self) -> bool:
        return self._protocol.unread <= MAX_UNREAD

    async def _read(self, deadline: float | None) -> None:
        """Hear what comes next, and answer what has to be answered.

        Raises:
            TimedOut: `deadline` passed first.
            WebSocketClosed: the connection broke, or the peer shows no sign of life.
        """
        way, now = self._way, self._runtime.now
        protocol, heartbeat = self._protocol, self._heartbeat
        if way is None:
            return
        try:
            try:
                if self._unfed:
                    self._feed(way, self._unfed)
                elif not protocol.is_over:
                    if heartbeat.asks(now()):
                        self._ask_for_life(way)
                    data = await way.receive(heartbeat.listen_until(deadline, now()))
                    heartbeat.heard(now())
                    self._feed(way, data)
            except TimedOut:
                if heartbeat.is_over(now()):
                    raise ConnectionLost(
                        f"no sign of life within {heartbeat.seconds} seconds"
                    ) from None
                if deadline is not None and now() >= deadline:
                    raise
            if protocol.is_over:
                await self._finish(way, deadline)
        except OSError as error:
            self._break(error)
            raise self._why() from error

    def _ask_for_life(self, way: "Duplex") -> None:
        with self._lock:
            if self._protocol.is_open:
                self._protocol.ping()
                self._queue_locked(way)
        self._flush_now(way)

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
            self._tell_locked()
        if has_answer and not protocol.is_over:
            self._flush_now(way)

    @staticmethod
    def _flush_now(way: "Duplex") -> None:
        """Send what fits; what does not goes with the next, or while we listen."""
        with suppress(OSError):  # what else has come says why
            way.flush_now()

    # How it ends --------------------------------------------------------------------------------

    async def _finish(self, way: "Duplex", deadline: float | None) -> None:
        """Both have said goodbye, or the peer has failed: send our last word, and let go."""
        protocol = self._protocol
        until = earlier(deadline, self._runtime.now(), way.hang_up)
        is_flushed = protocol.has_ended  # nobody would read it
        with suppress(TimedOut, OSError):  # it is over in any case
            while not (is_flushed and (protocol.has_ended or protocol.problem)):
                is_flushed = await way.flush(until) or bool(protocol.problem)
                if not (protocol.has_ended or protocol.problem):
                    self._feed(way, await way.receive(until))
        self._end()

    def _break(self, reason: object) -> None:
        """The connection is of no use any more."""
        self._end(f"broke: {reason}")

    def _end(self, how: str = "") -> None:
        """Let go of the connection.

        Args:
            how: it ended, in words; if not as the protocol says.
        """
        with self._lock:
            way = self._way
            if self.closed is None:  # before anybody can find the way gone, and no reason
                self.closed = self._ended(how) if how else self._ending()
            self._way = None
            self._tell_locked()
        if way is not None:
            way.abort()

    def _why(self) -> WebSocketClosed:
        """The exception for whoever wants more of it: each has one of its own."""
        closed = self.closed
        if closed is None:
            return self._ending()
        return WebSocketClosed(
            *closed.args, code=closed.code, reason=closed.reason, response=closed.response
        )

    def _ending(self) -> WebSocketClosed:
        code, reason, text = self._protocol.ending
        return self._ended(f"is closed: {text}", code=code, reason=reason)

    def _ended(self, how: str, **said: Any) -> WebSocketClosed:
        return WebSocketClosed(f"{self.peer}: the WebSocket {how}", response=self._response, **said)
