"""A connection that many exchanges share, in HTTP/2 or HTTP/3: the exchanges on it.

How they share it, and who waits for whom, is `sharing.py`; what differs between the protocols is
in `protocols/`, and in `http2.py` and `http3.py` beside this.
"""

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
from gofer.network.deadlines import earlier
from gofer.network.shared_content import SharedContent
from gofer.network.shared_head import connecting_head
from gofer.network.shared_upload import SharedUpload
from gofer.network.sharing import FAILED, GLANCE, SharedStream, is_over
from gofer.protocols.streams import ResponseStream, StreamsProtocol
from gofer.runtime.base import Event, Runtime, Stream, TimedOut

if TYPE_CHECKING:
    from gofer.network.places import Host
    from gofer.network.pool import Pool
    from gofer.network.routes import Route

__all__ = ["SharedConnection"]

UNTRUSTED_AFTER = 5.0  # seconds idle after which the peer is asked whether it is still there
SIGN_OF_LIFE = 5.0  # seconds that it has for its answer

STUCK = "the server took nothing for too long"  # why a connection takes no more exchanges


class SharedConnection(SharedStream):
    """A stream that speaks HTTP/2 or HTTP/3, and where it belongs.

    Attributes:
        tls: what was agreed on in TLS; None without.
        users: exchanges that have a place on it; counted by the pool.
    """

    is_shared = True
    __slots__ = (
        "__weakref__", "_abandoned", "_doubting", "counted", "exchanges", "generation", "host",
        "idle_since", "pool", "route", "tls", "users",
    )  # fmt: skip

    def __init__(
        self,
        stream: Stream,
        route: "Route",
        pool: "Pool",
        runtime: Runtime,
        protocol: StreamsProtocol,
    ) -> None:
        super().__init__(stream, runtime, protocol, route.authority)
        self.route = route
        self.pool = pool
        self.tls: Any = None
        self.users = 0
        self.exchanges = 0
        self.idle_since = runtime.now()
        self.host: Host | None = None
        self.generation = 0
        self.counted = True
        self._abandoned: deque[ResponseStream] = deque()  # by the collector; not ended yet
        self._doubting: list[Event] | None = None  # those who wait for what one finds out

    @property
    def has_room(self) -> bool:
        """True if it takes one more exchange now."""
        return self.users < self.protocol.most_streams and self.closing is None

    def close(self, reason: str) -> None:
        """Close at once; the pool has the place back. Safe to call twice."""
        self.closing = self.closing or reason
        self.stream.abort()
        if self.counted:
            self.pool.drop(self)

    # An exchange --------------------------------------------------------------------------------

    async def exchange(
        self,
        request: PreparedRequest,
        started: float,
        _head: bytes = b"",
        *,
        protocol: bytes | None = None,
    ) -> Response:
        """Send the request and return its response as soon as the head is there.

        The place that the pool gave on this connection is given back when the response ends.

        Args:
            protocol: what is to be spoken on the stream; if the server takes it up (2xx), the
                response's `_duplex` is the way (RFC 8441, 5).

        Raises:
            InvalidHeader, InvalidMethod, LocalProtocolError: before anything is sent.
            ConnectionLost, RemoteProtocolError, ReadTimeout, WriteTimeout, DeadlineExceeded.
        """
        stream: ResponseStream | None = None
        upload: SharedUpload | None = None
        try:
            head = self.head_of(request)
            if protocol is not None:
                head = connecting_head(head, protocol)
            if self.exchanges and self._is_doubtful(started):
                await self._trust_again(request, started)
            body = request.body
            stream = self._begin(head, has_content=body is not None or protocol is not None)
            timeouts = request.settings.timeouts
            deadline = earlier(request.deadline, started, timeouts.write)
            if (body is not None or not self._send_soon()) and not self.send_without_waiting():
                await self._send(deadline)
            if body is not None:
                upload = SharedUpload(self, stream, request, body)
                if not await self._send_content(upload, stream, request):
                    upload = None
            request.sent = True
            if body is not None or timeouts.read != timeouts.write:
                deadline = self.deadline_for(request, timeouts.read)
            await self.until(stream, _has_head, deadline)
            if not stream.status:
                raise self._lost(stream, request)
            if protocol is not None and 200 <= stream.status < 300:
                return self._switched(stream, request, started)
            return self._response(stream, request, started, upload)
        except BaseException as error:
            named = self._named(error, stream, request)
            self.break_off(stream)
            if named is error:
                self.interrupted(error, upload)
                raise
            raise named from error

    def head_of(self, request: PreparedRequest) -> list[tuple[bytes, bytes]]:
        """The request's field section. Raises as `shared_head.head_of`."""
        raise NotImplementedError

    def _begin(self, head: list[tuple[bytes, bytes]], *, has_content: bool) -> ResponseStream:
        with self._lock:
            if self._abandoned:
                self._settle_locked()
            if self._failure is not None:
                self._raise_failure_locked()
            stream = self.protocol.begin(head, has_content=has_content)
            self._begun.append(stream)
            self.exchanges += 1
            return stream

    def _response(
        self,
        stream: ResponseStream,
        request: PreparedRequest,
        started: float,
        upload: SharedUpload | None = None,
    ) -> Response:
        response = self._head(stream, request, started)
        if stream.complete:
            with self._lock:
                pieces = self.protocol.take_pieces(stream)
                self._forget_locked(stream)
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if response.fields.is_plain:
                response._content = data
            else:
                response._received = data
            trailers = stream.trailers
            if trailers:
                response._take_trailers = lambda: trailers
            self.pool.leave(self, stream)
        else:
            source = response._source = SharedContent(self, stream, request, upload)
            response._take_trailers = source.take_trailers
        return response

    def _switched(
        self, stream: ResponseStream, request: PreparedRequest, started: float
    ) -> Response:
        from gofer.network.duplex import SharedDuplex

        response = self._head(stream, request, started)
        response._content = b""
        response._duplex = SharedDuplex(self, stream)
        return response

    def _head(self, stream: ResponseStream, request: PreparedRequest, started: float) -> Response:
        """The response without its content."""
        response = request.response_class()
        response.version = self.protocol.version
        response.status_code = stream.status
        response.fields = stream.fields  # type: ignore[assignment]
        response.url = request._url.href  # type: ignore[union-attr]
        response.request = request
        response._elapsed = self.runtime.now() - started
        if stream.interim:
            response._interim = stream.interim
        return response

    def take_pieces(self, stream: ResponseStream) -> list[bytes]:
        """The content that has come. The peer is told that there is room for more."""
        with self._lock:
            pieces = self.protocol.take_pieces(stream)
        # Without waiting: who is interrupted would lose the data. What does not fit is sent by who
        # waits next.
        if self.protocol.has_output and not self._send_soon():
            self.send_without_waiting()
        return pieces

    def end(self, stream: ResponseStream | None) -> None:
        """An exchange is over, however it went."""
        if stream is not None:
            with self._lock:
                self._forget_locked(stream)
        self.pool.leave(self, stream)

    def break_off(self, stream: ResponseStream | None) -> None:
        """As `end`, before its time: the peer is told that nobody wants more."""
        self.end(stream)
        if stream is not None:
            with self._lock:
                self._recall_locked(stream)
        self.send_without_waiting()

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
        self.pool.leave(self, stream)

    def _settle_locked(self) -> None:
        while self._abandoned:
            self._forget_locked(self._abandoned.popleft())

    def _forget_locked(self, stream: ResponseStream) -> None:
        self.protocol.forget(stream)
        if self._uploading:
            self._uploading.discard(stream)
        if stream.outlet is not None:
            outlet, stream.outlet = stream.outlet, None
            self._uploading.discard(outlet)
            for waiting in (outlet, stream):
                self._wake_locked(waiting)

    # Another protocol on a stream -----------------------------------------------------------------

    async def takes_protocols(self, request: PreparedRequest) -> bool:
        """True if the peer lets other protocols be spoken on streams.

        Raises:
            ConnectionLost: it is gone.
        """
        if not self.protocol.takes_protocols and not self.exchanges:
            await self._ping(request)  # its settings come before its answer
        return self.protocol.takes_protocols

    def open_outlet(self, stream: ResponseStream) -> ResponseStream:
        """What whoever sends on `stream` waits for: one may send while another receives."""
        with self._lock:
            outlet = stream.outlet = ResponseStream(stream.number, has_ended_sending=False)
            self._uploading.add(outlet)
        return outlet

    def queue(self, stream: ResponseStream, data: bytes, *, is_last: bool) -> None:
        """Send `data` on `stream` with what is sent next."""
        with self._lock:
            if not (stream.is_over or stream.has_ended_sending):
                self.protocol.send(stream, data, is_last=is_last)

    async def drain(
        self,
        stream: ResponseStream,
        outlet: ResponseStream,
        has_room: Callable[[ResponseStream], bool],
        deadline: float | None,
    ) -> None:
        """Send what is queued, until `has_room`.

        Raises:
            TimedOut, RequestException: the connection or the stream is no more.
        """
        await self._send(deadline)
        await self.until(outlet, has_room, deadline)
        with self._lock:
            self._raise_failure_locked()
        if stream.error_code is not None:
            raise ConnectionLost(f"{self.peer}: the stream was ended, code {stream.error_code}")

    async def end_sending(self, stream: ResponseStream, deadline: float | None) -> None:
        """Nothing more will be sent on `stream`."""
        with self._lock:
            if not (stream.has_ended_sending or stream.error_code is not None):
                self.protocol.end(stream)
        await self._send(deadline)

    def _is_doubtful(self, now: float) -> bool:
        """True if the peer may have said something, or gone, while nobody listened."""
        if self._reading_for is not None:  # looked at first: who finds out says so, and then reads
            return self._doubting is not None
        return (
            self._doubting is not None
            or now - self._heard_at > UNTRUSTED_AFTER
            or self.closing is not None
            or self.stream.is_readable()
        )

    async def _trust_again(self, request: PreparedRequest, now: float) -> None:
        """Find out whether the peer is still there; of many who want to know, one does.

        Raises:
            ConnectionLost: it is gone, or leaves; nothing of the request was sent.
        """
        event: Event | None = None
        with self._lock:
            if self._doubting is None:
                self._doubting = []
            else:
                event = self.runtime.event()
                self._doubting.append(event)
        if event is not None:
            await event.wait(self.deadline_for(request, 2 * SIGN_OF_LIFE))
            if self.closing is None and self._is_doubtful(now):  # who looked may be cancelled
                await self._trust_again(request, now)
        else:
            try:
                await self._find_out(request, now)
            finally:
                with self._lock:
                    waiting, self._doubting = self._doubting, None
                for event in waiting or ():
                    event.set()
        if self.closing is not None:
            raise ConnectionLost(f"{self.peer}: {self.closing}")

    async def _find_out(self, request: PreparedRequest, now: float) -> None:
        """Hear what the peer said while nobody listened; ask it for a sign of life if that is long.

        Raises:
            ConnectionLost: no sign came.
        """
        is_old = now - self._heard_at > UNTRUSTED_AFTER
        with suppress(TimedOut):  # TLS may have had something to say, and HTTP nothing
            while self.closing is None and self.stream.is_readable():
                await self._glance(now + GLANCE)
        if is_old and self.closing is None:
            await self._ping(request)

    async def _ping(self, request: PreparedRequest) -> None:
        """Ask the peer whether it is still there (RFC 9113, 6.7; RFC 9000, 19.2).

        Raises:
            ConnectionLost: no answer came.
        """
        with self._lock:
            self._raise_failure_locked()
            sign = self.protocol.ping()
        deadline = self.deadline_for(request, SIGN_OF_LIFE)
        try:
            await self._send(deadline)
            await self.until(sign, is_over, deadline)
        except TimedOut:
            self._fail(ConnectionLost(f"{self.peer}: no sign of life after a pause"), FAILED)
        with self._lock:
            self._raise_failure_locked()

    # Content ------------------------------------------------------------------------------------

    async def _send_content(
        self, upload: SharedUpload, stream: ResponseStream, request: PreparedRequest
    ) -> bool:
        """Send content; True if something is left of it when a good answer comes before the end.

        One that is none (300 and above) stops it, as does the peer who wants no more.
        """
        if request.has_field("expect"):
            await self._await_go_ahead(stream, request)
        with self._lock:
            self._uploading.add(stream)
        is_left = False
        try:
            is_done = await upload.send(_has_head)
            is_left = not is_done and stream.status < 300 and not stream.is_over
        finally:
            if not is_left:
                await upload.close()
        return is_left

    async def send_piece(
        self, stream: ResponseStream, piece: bytes, deadline: float | None
    ) -> None:
        """Queue a piece of content, and send what can be sent."""
        with self._lock:
            self._raise_failure_locked()
            if not stream.is_over:
                self.protocol.send(stream, piece)
        await self._send(deadline)

    async def end_upload(self, stream: ResponseStream, deadline: float | None) -> None:
        """The content is complete."""
        with self._lock:
            self._uploading.discard(stream)
        await self.end_sending(stream, deadline)

    async def _await_go_ahead(self, stream: ResponseStream, request: PreparedRequest) -> None:
        """Expect: 100-continue (RFC 9110, 10.1.1)."""
        deadline = self.deadline_for(request, request.settings.expect_timeout)
        try:
            await self.until(stream, _is_answered, deadline)
        except TimedOut:
            return  # it may never say so: go on

    # Errors -------------------------------------------------------------------------------------

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
            error.request = error.request or request  # type: ignore[assignment]
            if isinstance(error, ConnectionLost) and not error.is_unsent:
                error.is_reused = self.exchanges > (stream is not None)
                error.is_unanswered = stream is None or not (stream.status or stream.interim)
                refused = stream is None or stream.error_code == self.protocol.refused
                error.is_unsent = error.is_refused = refused
        return error

    def _lost(self, stream: ResponseStream, request: PreparedRequest) -> RequestException:
        """The stream ended before there was a response."""
        peer, code = self.peer, stream.error_code or 0
        if code == self.protocol.refused:
            # RFC 9113, 8.7; RFC 9114, 4.1.1: it was not looked at, so it may be sent again,
            # whatever its method.
            refused = ConnectionLost(f"{peer}: refused the request unseen", request=request)
            refused.is_reused = refused.is_unanswered = refused.is_unsent = True
            refused.is_refused = True
            refused.is_busy = self.closing is None
            refused.__cause__ = self._failure  # if it was not the peer who did so
            return refused
        if stream.problem:
            return RemoteProtocolError(
                f"{peer}: broke the rules of {self.protocol.version} in its response:"
                f" {stream.problem}",
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
        return f"<{type(self).__name__} {self.route!r}, {state}>"


def _has_head(stream: ResponseStream) -> bool:
    return stream.status != 0


def _is_answered(stream: ResponseStream) -> bool:
    return bool(stream.status or stream.interim)
