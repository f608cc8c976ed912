"""An HTTP/1.1 connection: one exchange at a time over a stream.

`Http1Connection.exchange` writes a request and reads the response's head; `Http1Content` reads
the rest when somebody wants it. The connection goes back to its pool the moment the response is
complete and nothing speaks against it; why it does not is a value (`closing`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gofer.exceptions import (
    ConnectionLost,
    ReadTimeout,
    RequestException,
    WriteTimeout,
)
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.deadlines import Timed, earlier
from gofer.network.http1_content import EARLY_ANSWER, GLANCE, LAST_WORD, RECEIVE, Http1Content
from gofer.network.http1_upload import SEND_TOGETHER, SENT_AT_ONCE, Http1Upload
from gofer.protocols.http1 import Limits, ResponseReader
from gofer.protocols.http1_whole import WholeResponse
from gofer.runtime.base import Runtime, Stream, TimedOut

if TYPE_CHECKING:
    from gofer.network.pool import Pool
    from gofer.network.routes import Route

__all__ = ["Http1Connection"]


# Why a connection is not kept: values for the log and for whoever debugs.
ASKED_TO_CLOSE = "the server closes after this response"
WE_CLOSE = "the request said Connection: close"
EXCESS_BYTES = "the server sent more than its response"
FAILED = "the exchange failed"


class Http1Connection(Timed):
    """A stream that speaks HTTP/1.1, and where it belongs.

    Attributes:
        tls: what was agreed on in TLS; None without.
    """

    is_shared = False
    __slots__ = (
        "__weakref__",
        "begun",
        "broken",
        "closing",
        "counted",
        "exchanges",
        "generation",
        "host",
        "idle_since",
        "peer",
        "pool",
        "reader",
        "route",
        "runtime",
        "stream",
        "tls",
        "whole",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, route: "Route", pool: "Pool", runtime: Runtime, limits: Limits
    ) -> None:
        self.stream = stream
        self.route = route
        self.pool = pool
        self.runtime = runtime
        self.peer = route.peer
        self.reader = ResponseReader(limits, self.peer)
        self.whole = WholeResponse(limits)
        self.closing: str | None = None
        self.broken: OSError | None = None  # what ended sending before its end
        self.begun = False  # the peer may have a part of a message with content
        self.exchanges = 0
        self.idle_since = 0.0
        self.host: Any = None  # what the pool knows of our route
        self.generation = 0
        self.counted = True
        self.tls: Any = None

    def close(self, reason: str) -> None:
        """Close at once; the pool has the place back. Safe to call twice."""
        if self.closing is None or self.counted:
            self.closing = self.closing or reason
            self.stream.abort()
            if self.counted:
                self.pool.release(self.route, self)

    async def exchange(self, request: PreparedRequest, started: float, head: bytes) -> Response:
        """Send the request and return its response as soon as the head is there.

        Raises:
            ConnectionLost, RemoteProtocolError, ReadTimeout, WriteTimeout, DeadlineExceeded:
                the connection is closed then.
        """
        stream = self.stream
        self.exchanges += 1
        written = False
        upload: Http1Upload | None = None
        try:
            timeouts, whole = request.settings.timeouts, request.deadline
            if request.body is None:
                deadline = earlier(whole, started, timeouts.write)
                await stream.send(head, deadline)
                written = request.sent = True
                # A head is small: sending it takes no time worth asking the clock for.
                if timeouts.read != timeouts.write:
                    deadline = earlier(whole, started, timeouts.read)
                data = await stream.receive(RECEIVE, deadline)
                answer = self.whole
                if data and request.method != "HEAD" and answer.read(data):
                    return self._whole_response(request, answer, started)
                self.reader.begin(request.method)
                self.feed(data)
            else:
                self.reader.begin(request.method)
                upload = await self._send_with_content(request, head, request.body)
                written = request.sent = True
                deadline = earlier(whole, self.runtime.now(), timeouts.read)
            # The time for the head is limited as a whole, not per byte.
            while not self.reader.status:
                self.feed(await stream.receive(RECEIVE, deadline))
            return self._response(request, started, upload)
        except BaseException as error:
            named = self._failed(error, request, written)
            if named is error:
                raise
            raise named from error

    async def switch(self, request: PreparedRequest, started: float, head: bytes) -> Response:
        """As `exchange`, for a request that asks for another protocol.

        If the server takes it up (101), the response's `_duplex` is the way (RFC 9110, 7.8).
        """
        self.exchanges += 1
        written = False
        try:
            timeouts = request.settings.timeouts
            await self.stream.send(head, self.deadline_for(request, timeouts.write))
            written = request.sent = True
            self.reader.begin(request.method)
            self.reader.may_switch = True
            deadline = self.deadline_for(request, timeouts.read)
            while not self.reader.status:
                self.feed(await self.stream.receive(RECEIVE, deadline))
            if self.reader.status != 101:
                return self._response(request, started)
            from gofer.network.duplex import Http1Duplex

            response = self._head(request, started)
            response._content = b""
            response._duplex = Http1Duplex(self, self.reader.switched)
            return response
        except BaseException as error:
            named = self._failed(error, request, written)
            if named is error:
                raise
            raise named from error

    def _whole_response(
        self, request: PreparedRequest, answer: WholeResponse, started: float
    ) -> Response:
        """The response that arrived in one piece; the connection is free already."""
        now = self.runtime.now()
        response = request.response_class()
        response.status_code = answer.status
        fields = response.fields = answer.fields
        response.url = request._url.href  # type: ignore[union-attr]
        response.request = request
        response._elapsed = now - started
        if fields.is_plain:
            response._content = answer.content
        else:
            response._received = answer.content
        self._finish(request, now, answer.keep_alive)
        return response

    def _response(
        self, request: PreparedRequest, started: float, upload: Http1Upload | None = None
    ) -> Response:
        """The response whose head the reader has, with what of its content is there."""
        reader = self.reader
        response = self._head(request, started)
        if reader.complete:
            pieces = reader.pieces
            response._received = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if reader._trailer_lines:
                response._take_trailers = _constant(reader.trailers)
            self.finish(request, self.runtime.now())
        else:
            source = response._source = Http1Content(self, request, upload)
            response._take_trailers = source.take_trailers
        return response

    def _head(self, request: PreparedRequest, started: float) -> Response:
        """The response without its content."""
        reader = self.reader
        response = request.response_class()
        response.status_code = reader.status
        response.fields = reader.fields  # type: ignore[assignment]
        response.url = request._url.href  # type: ignore[union-attr]
        response.request = request
        response._elapsed = self.runtime.now() - started
        if reader.interim:
            response._interim = reader.interim
        return response

    def finish(self, request: PreparedRequest, now: float) -> None:
        """The response that was being read is complete: the reader is done with it."""
        reader = self.reader
        if reader.excess:
            self.close(EXCESS_BYTES)
            return
        keep_alive = reader.keep_alive
        reader.begin("GET")
        self._finish(request, now, keep_alive)

    def _finish(self, request: PreparedRequest, now: float, keep_alive: bool) -> None:
        """Keep the connection, or say why not."""
        if not keep_alive:
            self.close(ASKED_TO_CLOSE)
        elif self.closing is not None:
            self.close(self.closing)
        elif not request.settings.keep_alive or request.encoded_fields().says_close:
            self.close(WE_CLOSE)
        else:
            self.pool.give(self, now)

    # Reading ----------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        if data:
            self.reader.feed(data)
        else:
            self.reader.eof()

    async def _receive_head(self, request: PreparedRequest, seconds: float) -> None:
        """Read until the final head is whole."""
        deadline = self.deadline_for(request, seconds)
        while not self.reader.status:
            self.feed(await self.stream.receive(RECEIVE, deadline))

    # Writing ----------------------------------------------------------------------------------

    async def _send_with_content(
        self, request: PreparedRequest, head: bytes, body: Any
    ) -> Http1Upload | None:
        """Send head and content; what is left of it when a good answer comes before the end.

        One that is none (300 and above) stops it (RFC 9112, 9.5).
        """
        self.begun = False
        if request.has_field("expect"):
            if await self._answered_expectation(request, head):
                return None
            head = b""
        is_small = type(body) is bytes and len(body) <= SEND_TOGETHER
        if is_small and "transfer-encoding" not in request.sent_headers:
            await self._send(head + body, request)
            return None
        upload = Http1Upload(self, request, head, body)
        try:
            while not await upload.send():
                if not await self._early_answer(request):
                    continue
                if self.reader.status < 300 and not self.reader.complete:
                    return upload
                self.closing = EARLY_ANSWER
                break
        except OSError as error:
            # The peer stopped reading content. If it sent a response, that says why.
            await upload.close()
            if upload.has_failed or isinstance(error, RequestException):
                raise
            self.closing, self.broken = EARLY_ANSWER, error
            try:
                await self._receive_head(request, LAST_WORD)
            except (OSError, TimedOut):
                raise error from None
        except BaseException:
            await upload.close()
            raise
        await upload.close()
        return None

    async def _send(self, data: bytes, request: PreparedRequest) -> None:
        """Send all of `data`, and remember that the peer may have read of it; see `Http1Upload`."""
        if len(data) > SENT_AT_ONCE:
            self.begun = True
        await self.stream.send(data, self.deadline_for(request, request.settings.timeouts.write))
        self.begun = True

    async def _early_answer(self, request: PreparedRequest) -> bool:
        """Something came while we send: True if it is the answer."""
        try:
            data = await self.stream.receive(RECEIVE, self.deadline_for(request, GLANCE))
        except TimedOut:
            return False  # a TLS record without content, such as a session ticket
        self.feed(data)
        return bool(self.reader.status)

    async def _answered_expectation(self, request: PreparedRequest, head: bytes) -> bool:
        """Expect: 100-continue (RFC 9110, 10.1.1). True if the final answer came instead."""
        settings = request.settings
        await self._send(head, request)
        reader = self.reader
        deadline = self.deadline_for(request, settings.expect_timeout)
        try:
            while not reader.status and not reader.interim:
                self.feed(await self.stream.receive(RECEIVE, deadline))
        except TimedOut:
            return False  # the 100 (Continue) may never come: send the content
        if reader.status:
            self.closing = EARLY_ANSWER
            return True
        return False

    # Errors -------------------------------------------------------------------------------------

    def _failed(
        self, error: BaseException, request: PreparedRequest, written: bool
    ) -> BaseException:
        """Close, but hear first what the peer has said; the named exception for `error`."""
        try:
            return self._named(error, request, written)
        finally:
            self.close(FAILED)

    def _named(
        self, error: BaseException, request: PreparedRequest, written: bool
    ) -> BaseException:
        """The named exception for what a leaf or the reader raised."""
        reader = self.reader
        if isinstance(error, TimedOut):
            if written:
                return self.timed_out(
                    ReadTimeout, "read", request,
                    "waiting for the response head" if not reader.has_received
                    else "in the middle of the response head",
                )  # fmt: skip
            return self.timed_out(WriteTimeout, "write", request, "sending the request")
        if isinstance(error, RequestException):
            error.request = error.request or request  # type: ignore[assignment]
            if isinstance(error, ConnectionLost):
                self._mark_lost(error, written)
            return error
        if isinstance(error, OSError):
            from gofer.network.losses import lost

            doing = "waiting for the response" if written else "sending the request"
            is_new = self.exchanges == 1 and not reader.has_received
            named = lost(error, self.stream, reader.peer, doing, is_new=is_new)
            named.request = request  # type: ignore[assignment]
            if isinstance(named, ConnectionLost):
                self._mark_lost(named, written)
            return named
        return error

    def _mark_lost(self, error: ConnectionLost, written: bool) -> None:
        error.is_reused = self.exchanges > 1
        error.is_unanswered = not self.reader.has_received
        error.is_unsent = not (written or self.begun) and error.is_unanswered

    def __repr__(self) -> str:
        state = f"closed: {self.closing}" if self.closing else f"{self.exchanges} exchanges"
        return f"<Http1Connection {self.route!r}, {state}>"


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value
