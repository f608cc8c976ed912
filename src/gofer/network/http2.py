"""An HTTP/2 connection: many exchanges at a time over one stream of bytes (RFC 9113).

There is no thread or task of its own. Whoever waits for something and finds nobody reading takes
the reader's role: it reads for all, wakes those who have news, and hands the role on when it has
what it waited for (or gives up). Whoever has something to send and finds nobody sending sends what
there is, everybody's. Both roles are flags under a lock that is never held while anything waits, so
the same text serves threads, greenlets and tasks.

State: the protocol's (`protocols/http2.py`), the two roles, and who waits for which stream.
"""

import _thread
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gofer.exceptions import (
    ConnectionLost,
    IncompleteContent,
    ReadTimeout,
    RemoteProtocolError,
    RequestException,
    WriteTimeout,
)
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.deadlines import Timed
from gofer.network.http2_content import Http2Content
from gofer.network.http2_head import head_of
from gofer.protocols.http1 import Limits
from gofer.protocols.http2 import REFUSED_STREAM, Http2Protocol, ResponseStream
from gofer.runtime.base import Event, Runtime, Stream, TimedOut

if TYPE_CHECKING:
    from gofer.network.pool import Host, Pool
    from gofer.network.routes import Route

__all__ = ["Http2Connection"]

RECEIVE = 64 * 1024
SEND = 32 * 1024  # bytes at a time: others' heads go between the pieces of an upload
PIECE = 64 * 1024  # bytes of content that are queued at a time
UNTRUSTED_AFTER = 5.0  # seconds idle after which the peer is asked whether it is still there
GLANCE = 0.02  # seconds for what has come to turn out to be frames, or TLS's own talk
SIGN_OF_LIFE = 5.0  # seconds that it has for its answer

# Why a connection takes no more exchanges: values for the log and for whoever debugs.
GOING_AWAY = "the server said goodbye"
FAILED = "the connection failed"
STUCK = "the server took nothing for too long"


class Http2Connection(Timed):
    """A stream that speaks HTTP/2, and where it belongs.

    Attributes:
        tls: what was agreed on in TLS; None without.
        users: exchanges that have a place on it; counted by the pool.
        closing: why it takes no new ones, if it does not.
    """

    is_shared = True
    __slots__ = (
        "__weakref__", "_abandoned", "_buffer", "_failure", "_heard", "_is_asked", "_is_reading",
        "_is_sending", "_is_soon", "_lock", "_unsent", "_uploading", "_waiting", "closing",
        "counted", "exchanges", "generation", "host", "idle_since", "peer", "pool", "protocol",
        "route", "runtime", "stream", "tls", "users",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, route: "Route", pool: "Pool", runtime: Runtime, limits: Limits
    ) -> None:
        self.stream = stream
        self.route = route
        self.pool = pool
        self.runtime = runtime
        self.peer = f"{route.host}:{route.port}"
        self.protocol = Http2Protocol(limits, self.peer)
        self.tls: Any = None
        self.users = 0
        self.exchanges = 0
        self.closing: str | None = None
        self.idle_since = runtime.now()
        self.host: Host | None = None
        self.generation = 0
        self.counted = True
        self._lock = _thread.allocate_lock()
        self._is_reading = False
        self._is_sending = False
        self._is_asked = False  # by somebody who has something to send
        self._unsent = memoryview(b"")  # frames, perhaps begun; only who sends touches them
        self._buffer = memoryview(bytearray(RECEIVE))  # only who reads touches it
        self._is_soon = False  # `flush` will be called
        self._heard: Event | None = None  # for who sends: somebody has read
        self._waiting: dict[ResponseStream, Event] = {}
        self._uploading: set[ResponseStream] = set()
        self._abandoned: deque[ResponseStream] = deque()  # by the collector; not ended yet
        self._failure: RequestException | None = None

    @property
    def has_room(self) -> bool:
        """True if it takes one more exchange now."""
        return self.users < self.protocol.most_streams and self.closing is None

    def close(self, reason: str) -> None:
        """Close at once; the pool has the place back. Safe to call twice."""
        self.closing = self.closing or reason
        self.stream.abort()
        if self.counted:
            self.counted = False
            self.pool.drop(self)

    # An exchange --------------------------------------------------------------------------------

    async def exchange(
        self, request: PreparedRequest, started: float, _head: bytes = b""
    ) -> Response:
        """Send the request and return its response as soon as the head is there.

        The place that the pool gave on this connection is given back when the response ends.

        Raises:
            InvalidHeader, InvalidMethod, LocalProtocolError: before anything is sent.
            ConnectionLost, RemoteProtocolError, ReadTimeout, WriteTimeout, DeadlineExceeded.
        """
        stream: ResponseStream | None = None
        try:
            head = head_of(request)
            if self.exchanges and self.users == 1:
                await self._trust_again(request, started)
            body = request.body
            stream = self._begin(head, has_content=body is not None)
            timeouts = request.settings.timeouts
            deadline = self.deadline_for(request, timeouts.write)
            if body is not None or not self._send_soon():
                await self._send(deadline)
            if body is not None:
                await self._send_content(stream, request, body)
            request.sent = True
            if body is not None or timeouts.read != timeouts.write:
                deadline = self.deadline_for(request, timeouts.read)
            await self.until(stream, _has_head, deadline)
            if not stream.status:
                raise self._lost(stream, request)
        except BaseException as error:
            named = self._named(error, stream, request)
            self.end(stream)
            self.send_without_waiting()
            if named is error:
                raise
            raise named from error
        return self._response(stream, request, started)

    def _begin(self, head: list[tuple[bytes, bytes]], *, has_content: bool) -> ResponseStream:
        with self._lock:
            if self._abandoned:
                self._settle_locked()
            if self._failure is not None:
                self._raise_failure_locked()
            stream = self.protocol.begin(head, has_content=has_content)
            self.exchanges += 1
            return stream

    def _response(
        self, stream: ResponseStream, request: PreparedRequest, started: float
    ) -> Response:
        response = request.response_class()
        response.version = "HTTP/2"
        response.status_code = stream.status
        response.fields = stream.fields  # type: ignore[assignment]
        response.url = request._url.href  # type: ignore[union-attr]
        response.request = request
        response._elapsed = self.runtime.now() - started
        if stream.interim:
            response._interim = stream.interim
        if stream.complete:
            with self._lock:
                data = self.protocol.take(stream)
                self.protocol.forget(stream)
                self._uploading.discard(stream)
            if response.fields.is_plain:
                response._content = data
            else:
                response._received = data
            trailers = stream.trailers
            if trailers:
                response._take_trailers = lambda: trailers
            self.pool.leave(self)
        else:
            source = response._source = Http2Content(self, stream, request)
            response._take_trailers = source.take_trailers
        return response

    async def take(self, stream: ResponseStream, request: PreparedRequest) -> bytes:
        """The content that has come. The peer is told that there is room for more."""
        with self._lock:
            data = self.protocol.take(stream)
        if self.protocol.has_output and not self._send_soon():
            await self._send(self.deadline_for(request, request.settings.timeouts.write))
        return data

    def end(self, stream: ResponseStream | None) -> None:
        """An exchange is over, however it went."""
        if stream is not None:
            with self._lock:
                self.protocol.forget(stream)
                self._uploading.discard(stream)
        self.pool.leave(self)

    def abandon(self, stream: ResponseStream) -> None:
        """As `end`, when the collector finds a response that nobody has closed.

        It may come in the middle of anything, so it takes no lock that is held.
        """
        self._abandoned.append(stream)
        if self._lock.acquire(False):
            try:
                self._settle_locked()
            finally:
                self._lock.release()
        self.pool.leave(self)

    def _settle_locked(self) -> None:
        while self._abandoned:
            stream = self._abandoned.popleft()
            self.protocol.forget(stream)
            self._uploading.discard(stream)

    async def _trust_again(self, request: PreparedRequest, now: float) -> None:
        """Hear what the peer said while nobody listened; ask it for a sign of life if that is long.

        Raises:
            ConnectionLost: it is gone, or leaves; nothing of the request was sent.
        """
        with suppress(TimedOut):  # TLS may have had something to say, and HTTP nothing
            while self.closing is None and self.stream.is_readable():
                await self._glance(now + GLANCE)
        if self.closing is not None:
            raise ConnectionLost(f"{self.peer}: {self.closing}")
        if now - self.idle_since > UNTRUSTED_AFTER:
            await self._ping(request)

    async def _glance(self, deadline: float) -> None:
        """Read once, if nobody else does."""
        with self._lock:
            if self._is_reading:
                raise TimedOut
            self._is_reading = True
        await self._read_for_all(None, _has_head, deadline)

    async def _ping(self, request: PreparedRequest) -> None:
        """Ask the peer whether it is still there (RFC 9113, 6.7).

        Raises:
            ConnectionLost: no answer came.
        """
        with self._lock:
            self._raise_failure_locked()
            sign = self.protocol.ping()
        deadline = self.deadline_for(request, SIGN_OF_LIFE)
        try:
            await self._send(deadline)
            await self.until(sign, _is_over, deadline)
        except TimedOut:
            self._fail(ConnectionLost(f"{self.peer}: no sign of life after a pause"), FAILED)
        with self._lock:
            self._raise_failure_locked()

    # Sending ------------------------------------------------------------------------------------

    async def _send(self, deadline: float | None) -> None:
        """Send what is there to be sent, unless somebody is at it, who will send ours too.

        Whoever is interrupted here leaves what remains to the next: no frame is lost or torn.

        Raises:
            TimedOut: `deadline` has passed.
        """
        if not self._take_sending():
            return
        try:
            while not self._send_now():
                count = await self.stream.send_some(self._unsent, deadline)
                self._unsent = self._unsent[count:]
                if not count:
                    await self._hear(deadline)
        except OSError as error:
            self._fail(self._broken(error, "sending"), FAILED)
        except BaseException:
            self._leave_sending()
            raise
        self._fail_with_protocol()

    def _send_soon(self) -> bool:
        """True if `flush` will be called when everybody has had his say."""
        if not self._is_soon:
            self._is_soon = self.stream.send_soon(self)
        return self._is_soon

    def flush(self) -> None:
        """Send what everybody has to say."""
        self._is_soon = False
        self.send_without_waiting()
        if self._unsent and self._failure is None:
            self._send_soon()  # the stream goes on with what it has, and then with this

    def send_without_waiting(self) -> None:
        """Send what is there if that takes no waiting: the end of a stream, usually."""
        if not self._take_sending():
            return
        try:
            if not self._send_now():
                self._leave_sending()
        except OSError as error:  # every exchange will hear of it
            self._fail(self._broken(error, "sending"), FAILED)
        self._fail_with_protocol()

    def _take_sending(self) -> bool:
        """True if the sender's role was free, and is ours now."""
        with self._lock:
            self._is_asked = True
            if self._is_sending:
                return False
            self._is_sending = True
            return True

    def _send_now(self) -> bool:
        """True if everything has been sent, and the sender's role is free again."""
        while True:
            with self._lock:
                if not self._unsent and self._is_asked and self._failure is None:
                    output = self.protocol.output(SEND)
                    # Less than asked for is all there is, until somebody asks again.
                    self._is_asked = len(output) >= SEND
                    self._unsent = memoryview(output)
                    self._tell_locked()
                if not self._unsent or self._failure is not None:
                    self._is_sending = False
                    for stream in self._uploading:
                        self._wake_locked(stream)
                    return True
            count = self.stream.send_now(self._unsent)
            if not count:
                return False
            self._unsent = self._unsent[count:]

    def _leave_sending(self) -> None:
        """Not everything has been sent: somebody who waits has to take the role."""
        with self._lock:
            self._is_sending = False
            if self._waiting:
                self._wake_locked(next(iter(self._waiting)))

    async def _hear(self, deadline: float | None) -> None:
        """The peer takes nothing because it has something to say: let it be heard."""
        with self._lock:
            event = None
            if self._is_reading:
                event = self._heard = self.runtime.event()
        if event is not None:
            await event.wait(deadline)
            return
        with suppress(TimedOut):  # it was TLS's own talk
            await self._glance(self.runtime.now() + GLANCE)

    async def _send_content(
        self, stream: ResponseStream, request: PreparedRequest, body: Any
    ) -> None:
        """Send content as the peer's windows allow; stop when its answer comes before the end."""
        from contextlib import aclosing

        from gofer.messages.content import pieces

        length = request.sent_headers.get("content-length")
        declared = None if length is None else int(length)
        if request.has_field("expect"):
            await self._await_go_ahead(stream, request)
        with self._lock:
            self._uploading.add(stream)
        async with aclosing(pieces(body, PIECE, declared=declared)) as content:
            async for piece in content:
                for start in range(0, len(piece), PIECE):
                    if stream.status or stream.is_over:
                        return
                    await self._send_piece(stream, piece[start : start + PIECE], request)
        with self._lock:
            self._uploading.discard(stream)
            if not stream.is_over:
                self.protocol.end(stream)
        await self._send(self.deadline_for(request, request.settings.timeouts.write))

    async def _send_piece(
        self, stream: ResponseStream, piece: bytes, request: PreparedRequest
    ) -> None:
        with self._lock:
            self._raise_failure_locked()
            if not stream.is_over:
                self.protocol.send(stream, piece)
        deadline = self.deadline_for(request, request.settings.timeouts.write)
        await self._send(deadline)
        await self.until(stream, self._takes_more, deadline)

    def _takes_more(self, stream: ResponseStream) -> bool:
        return bool(stream.status) or self.protocol.queued(stream) < PIECE

    async def _await_go_ahead(self, stream: ResponseStream, request: PreparedRequest) -> None:
        """Expect: 100-continue (RFC 9110, 10.1.1)."""
        deadline = self.deadline_for(request, request.settings.expect_timeout)
        try:
            await self.until(stream, _is_answered, deadline)
        except TimedOut:
            return  # it may never say so: go on

    # Receiving ----------------------------------------------------------------------------------

    async def until(
        self,
        stream: ResponseStream,
        is_ready: Callable[[ResponseStream], bool],
        deadline: float | None,
    ) -> None:
        """Return when `is_ready(stream)`, or when nothing more will come of it.

        Raises:
            TimedOut: `deadline` passed first.
            RequestException: the connection failed.
        """
        while True:
            event: Event | None = None
            with self._lock:
                if is_ready(stream) or stream.is_over:
                    return
                self._raise_failure_locked()
                is_left = self._unsent and not self._is_sending
                if is_left:
                    pass
                elif self._is_reading:
                    event = self._waiting[stream] = self.runtime.event()
                else:
                    self._is_reading = True
            if is_left:  # somebody was interrupted while he sent
                await self._send(deadline)
                continue
            if event is None:
                await self._read_for_all(stream, is_ready, deadline)
                continue
            try:
                await event.wait(deadline)
            except BaseException:
                with self._lock:
                    if self._waiting.pop(stream, None) is None:
                        # We were woken in this very moment, perhaps to take the role.
                        self._hand_on_locked()
                raise

    async def _read_for_all(
        self,
        stream: ResponseStream | None,
        is_ready: Callable[[ResponseStream], bool],
        deadline: float | None,
    ) -> None:
        """In the reader's role, until `stream` has what is waited for; once, if it is None."""
        try:
            while True:
                await self._receive(deadline)
                if self.protocol.has_output:  # at once: it may be the end of our own stream
                    await self._send(deadline)
                if stream is None or is_ready(stream) or stream.is_over:
                    return
                if self._failure is not None:
                    return
        except OSError as error:
            self._fail(self._broken(error, "receiving"), FAILED)
        finally:
            with self._lock:
                self._is_reading = False
                self._hand_on_locked()

    async def _receive(self, deadline: float | None) -> None:
        """Read, in the reader's role, and tell the protocol and those whom it concerns."""
        count = await self.stream.receive_into(self._buffer, deadline)
        if not count:
            self._fail(ConnectionLost(f"{self.peer}: closed the connection"), FAILED)
            return
        with self._lock:
            self.protocol.feed(self._buffer[:count], self.runtime.now())
            self._tell_locked()
        if self.protocol.failure is not None:
            self.send_without_waiting()  # tell the peer why
            self._fail_with_protocol()

    def _tell_locked(self) -> None:
        """Wake those whom the protocol has news for."""
        protocol = self.protocol
        if self._heard is not None:
            self._heard.set()
            self._heard = None
        if protocol.touched:
            for stream in protocol.touched:
                self._wake_locked(stream)
            protocol.touched.clear()
        if protocol.is_closing:
            self.closing = self.closing or GOING_AWAY

    def _fail_with_protocol(self) -> None:
        """What the protocol has failed by, everybody hears."""
        failure = self.protocol.failure
        if failure is not None and self._failure is None:
            self._fail(failure, FAILED)

    def _wake_locked(self, stream: ResponseStream) -> None:
        event = self._waiting.pop(stream, None)
        if event is not None:
            event.set()

    def _hand_on_locked(self) -> None:
        """Wake somebody to take the reader's role, if it is free."""
        if self._heard is not None:
            self._heard.set()
            self._heard = None
        if not self._is_reading and self._waiting:
            self._wake_locked(next(iter(self._waiting)))

    # Errors -------------------------------------------------------------------------------------

    def _fail(self, error: RequestException, reason: str) -> None:
        """The connection is of no use any more: everybody who waits hears of it."""
        with self._lock:
            self._failure = self._failure or error
            waiting, self._waiting = self._waiting, {}
            for event in waiting.values():
                event.set()
        self.close(reason)

    def _raise_failure_locked(self) -> None:
        failure = self._failure
        if failure is not None:
            # Each exchange has an exception of its own: it carries the request.
            raise type(failure)(*failure.args) from failure

    def _broken(self, error: BaseException, doing: str) -> RequestException:
        if isinstance(error, RequestException):
            return error
        reason = getattr(error, "strerror", None) or type(error).__name__
        return ConnectionLost(f"{self.peer}: the connection broke while {doing}: {reason}")

    def _named(
        self, error: BaseException, stream: ResponseStream | None, request: PreparedRequest
    ) -> BaseException:
        """The named exception for what a leaf or the protocol raised."""
        if isinstance(error, TimedOut):
            if request.sent:
                return self.timed_out(ReadTimeout, "read", request, "waiting for the response head")
            if self._unsent:
                self.closing = self.closing or STUCK
            return self.timed_out(WriteTimeout, "write", request, "sending the request")
        if isinstance(error, RequestException):
            error.request = error.request or request
            if isinstance(error, ConnectionLost) and not error.is_unsent:
                error.is_reused = self.exchanges > (stream is not None)
                error.is_unanswered = stream is None or not (stream.status or stream.interim)
                error.is_unsent = error.is_refused = stream is None
        return error

    def _lost(self, stream: ResponseStream, request: PreparedRequest) -> RequestException:
        """The stream ended before there was a response."""
        peer, code = self.peer, stream.error_code or 0
        if code == REFUSED_STREAM:
            # RFC 9113, 8.7: it was not looked at, so it may be sent again, whatever its method.
            refused = ConnectionLost(f"{peer}: refused the request unseen", request=request)
            refused.is_reused = refused.is_unanswered = refused.is_unsent = True
            refused.is_refused = True
            return refused
        if stream.problem:
            return RemoteProtocolError(
                f"{peer}: broke the rules of HTTP/2 in its response: {stream.problem}",
                request=request,
            )
        return ConnectionLost(f"{peer}: reset the stream, error code {code}", request=request)

    def incomplete(self, stream: ResponseStream, request: PreparedRequest) -> RequestException:
        """The content ended before it was complete."""
        return IncompleteContent(
            f"{self.peer}: the stream ended in the middle of the content, error code"
            f" {stream.error_code}{f' ({stream.problem})' if stream.problem else ''}",
            request=request,
        )

    def __repr__(self) -> str:
        state = f"closed: {self.closing}" if self.closing else f"{self.users} exchanges"
        return f"<Http2Connection {self.route!r}, {state}>"


def _has_head(stream: ResponseStream) -> bool:
    return stream.status != 0


def _is_answered(stream: ResponseStream) -> bool:
    return bool(stream.status or stream.interim)


def _is_over(stream: ResponseStream) -> bool:
    return stream.is_over
