"""An HTTP/1.1 connection: one exchange at a time over a stream.

`Http1Connection.exchange` writes a request and reads the response's head; `Http1Content` reads
the rest when somebody wants it. The connection goes back to its pool the moment the response is
complete and nothing speaks against it; why it does not is a value (`closing`).
"""

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from gofer.exceptions import (
    BodyReadTimeout,
    ConnectionLost,
    DeadlineExceeded,
    IncompleteContent,
    LocalProtocolError,
    ReadTimeout,
    RequestException,
    Timeout,
    WriteTimeout,
)
from gofer.messages.request import PreparedRequest
from gofer.messages.response import Response
from gofer.network.endings import keep, when_dropped
from gofer.protocols.http1 import (
    LAST_CHUNK,
    LENGTH,
    Limits,
    ResponseReader,
    WholeResponse,
    check_content_length,
    chunk,
    request_head,
)
from gofer.runtime.base import Runtime, Stream, TimedOut

if TYPE_CHECKING:
    from gofer.network.pool import Pool
    from gofer.network.routes import Route

__all__ = ["Http1Connection", "Http1Content", "earlier", "encode_head"]

RECEIVE = 64 * 1024  # bytes; a small answer, head and content, comes in one piece
RECEIVE_LARGE = 1024 * 1024
SEND_TOGETHER = 64 * 1024  # content up to this size goes out with the head
LAST_WORD = 1.0  # seconds for the answer of a peer that no longer takes what we send
GLANCE = 0.02  # seconds for what has come to turn out to be an answer, or TLS's own talk
SENT_AT_ONCE = 4 * 1024  # bytes; no system has a smaller send buffer
SEND_PIECE = 256 * 1024  # between two pieces an early answer is noticed

# Why a connection is not kept: values for the log and for whoever debugs.
ASKED_TO_CLOSE = "the server closes after this response"
WE_CLOSE = "the request said Connection: close"
EXCESS_BYTES = "the server sent more than its response"
EARLY_ANSWER = "the server answered before it had the whole request"
FAILED = "the exchange failed"
ABANDONED = "the response was closed before its end"


class Http1Connection:
    """A stream that speaks HTTP/1.1, and where it belongs."""

    __slots__ = (
        "__weakref__",
        "begun",
        "closing",
        "counted",
        "exchanges",
        "generation",
        "host",
        "idle_since",
        "pool",
        "reader",
        "route",
        "runtime",
        "stream",
        "whole",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, route: "Route", pool: "Pool", runtime: Runtime, limits: Limits
    ) -> None:
        self.stream = stream
        self.route = route
        self.pool = pool
        self.runtime = runtime
        self.reader = ResponseReader(limits, f"{route.host}:{route.port}")
        self.whole = WholeResponse(limits)
        self.closing: str | None = None
        self.begun = False  # the peer may have a part of a message with content
        self.exchanges = 0
        self.idle_since = 0.0
        self.host: Any = None  # what the pool knows of our route
        self.generation = 0
        self.counted = True

    def close(self, reason: str) -> None:
        """Close at once; the pool has the place back. Safe to call twice."""
        if self.closing is None or self.counted:
            self.closing = self.closing or reason
            self.stream.abort()
            if self.counted:
                self.counted = False
                self.pool.release(self.route)

    async def exchange(self, request: PreparedRequest, head: bytes, started: float) -> Response:
        """Send the request and return its response as soon as the head is there.

        Raises:
            ConnectionLost, RemoteProtocolError, ReadTimeout, WriteTimeout, DeadlineExceeded:
                the connection is closed then.
        """
        stream = self.stream
        self.exchanges += 1
        written = False
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
                self._feed(data)
            else:
                self.reader.begin(request.method)
                await self._send_with_content(request, head, request.body)
                written = request.sent = True
                deadline = earlier(whole, self.runtime.now(), timeouts.read)
            # The time for the head is limited as a whole, not per byte.
            while not self.reader.status:
                self._feed(await stream.receive(RECEIVE, deadline))
        except BaseException as error:
            self.close(FAILED)
            raise self._named(error, request, written) from error
        return self._response(request, started)

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

    def _response(self, request: PreparedRequest, started: float) -> Response:
        """The response whose head the reader has, with what of its content is there."""
        reader = self.reader
        now = self.runtime.now()
        response = request.response_class()
        response.status_code = reader.status
        response.fields = reader.fields  # type: ignore[assignment]
        response.url = request._url.href  # type: ignore[union-attr]
        response.request = request
        response._elapsed = now - started
        if reader.interim:
            response._interim = reader.interim
        if reader.complete:
            pieces = reader.pieces
            response._received = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if reader._trailer_lines:
                response._take_trailers = _constant(reader.trailers)
            self.finish(request, now)
        else:
            source = response._source = Http1Content(self, request)
            response._take_trailers = source.take_trailers
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

    def _feed(self, data: bytes) -> None:
        if data:
            self.reader.feed(data)
        else:
            self.reader.eof()

    async def _receive_head(self, request: PreparedRequest, seconds: float) -> None:
        """Read until the final head is whole."""
        deadline = self._deadline(request, seconds)
        while not self.reader.status:
            self._feed(await self.stream.receive(RECEIVE, deadline))

    def _deadline(self, request: PreparedRequest, seconds: float | None) -> float | None:
        """When a phase of `seconds` starting now has to end; never after the call's deadline."""
        return earlier(request.deadline, self.runtime.now(), seconds)

    # Writing ----------------------------------------------------------------------------------

    async def _send_with_content(self, request: PreparedRequest, head: bytes, body: Any) -> None:
        """Send head and content; stop when an answer comes before the end (RFC 9112, 9.5)."""
        self.begun = False
        chunked = "transfer-encoding" in request.sent_headers
        if type(body) is bytes and len(body) <= SEND_TOGETHER and not chunked:
            if request.has_field("expect") and await self._answered_expectation(request, head):
                return
            message = body if request.has_field("expect") else head + body
            await self._send(message, request)
            return
        try:
            if request.has_field("expect"):
                if await self._answered_expectation(request, head):
                    return
                head = b""
            await self._send_pieces(request, head, body, chunked)
        except OSError as error:
            # The peer stopped taking content. If it said why, that is the answer.
            if isinstance(error, RequestException):
                raise
            self.closing = EARLY_ANSWER
            try:
                await self._receive_head(request, LAST_WORD)
            except (OSError, TimedOut):
                raise error from None

    async def _send(self, data: bytes, request: PreparedRequest) -> None:
        """Send all of `data`, and remember that the peer may have read of it.

        If sending a little fails at once, nothing has been sent: a send buffer that is empty takes
        it whole or not at all.
        """
        if len(data) > SENT_AT_ONCE:
            self.begun = True
        await self.stream.send(data, self._deadline(request, request.settings.timeouts.write))
        self.begun = True

    async def _send_pieces(
        self, request: PreparedRequest, head: bytes, body: Any, chunked: bool
    ) -> None:
        from contextlib import aclosing

        from gofer.messages.content import pieces

        declared = None
        if not chunked:
            declared = int(request.sent_headers["content-length"])
        if type(body) is bytes and not chunked:
            if head:
                await self._send(head, request)
            await self._send_watchfully(request, body)
            return
        send_file = getattr(self.stream, "send_file", None)
        if declared and send_file is not None and _is_plain_file(body):
            await self._send(head, request)
            await self._send_file(request, body, declared)
            return
        waiting = head  # the head goes out with the first piece
        async with aclosing(pieces(body, SEND_PIECE, declared=declared)) as content:
            async for piece in content:
                data = chunk(piece) if chunked else piece
                if waiting:
                    await self._send(waiting + data, request)
                    waiting = b""
                elif not await self._send_watchfully(request, data):
                    return
        tail = waiting + LAST_CHUNK if chunked else waiting
        if tail:
            await self._send(tail, request)

    async def _send_watchfully(self, request: PreparedRequest, data: bytes) -> bool:
        """Send `data`, with an eye on the peer: False if it has answered before the end."""
        stream = self.stream
        seconds = request.settings.timeouts.write
        rest = memoryview(data)
        while rest:
            if stream.is_readable() and await self._early_answer(request):
                return False
            count = await stream.send_some(rest[:SEND_PIECE], self._deadline(request, seconds))
            rest = rest[count:]
        return True

    async def _send_file(self, request: PreparedRequest, file: Any, count: int) -> None:
        """Content straight from the file to the socket, by the operating system."""
        stream: Any = self.stream
        offset = file.tell()
        end = offset + count
        while offset < end:
            if stream.is_readable() and await self._early_answer(request):
                return
            sent = await stream.send_file(
                file,
                offset,
                min(end - offset, 4 * RECEIVE_LARGE),
                self._deadline(request, request.settings.timeouts.write),
            )
            if sent == 0:
                raise LocalProtocolError(
                    f"sending a file: it ended {end - offset} bytes before its Content-Length;"
                    " it must not change while it is sent"
                )
            offset += sent
        file.seek(offset)

    async def _early_answer(self, request: PreparedRequest) -> bool:
        """Something came while we send: True if it is the answer, so that sending is over."""
        reader = self.reader
        try:
            data = await self.stream.receive(RECEIVE, self._deadline(request, GLANCE))
        except TimedOut:
            return False  # it was TLS's own talk, a session ticket for instance
        self._feed(data)
        if reader.status:
            self.closing = EARLY_ANSWER
            return True
        return False

    async def _answered_expectation(self, request: PreparedRequest, head: bytes) -> bool:
        """Expect: 100-continue (RFC 9110, 10.1.1). True if the final answer came instead."""
        settings = request.settings
        await self._send(head, request)
        reader = self.reader
        deadline = self._deadline(request, settings.expect_timeout)
        try:
            while not reader.status and not reader.interim:
                self._feed(await self.stream.receive(RECEIVE, deadline))
        except TimedOut:
            return False  # it may never say so: go on
        if reader.status:
            self.closing = EARLY_ANSWER
            return True
        return False

    # Errors -------------------------------------------------------------------------------------

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
            error.request = error.request or request
            if isinstance(error, ConnectionLost):
                self._mark_lost(error, written)
            return error
        if isinstance(error, OSError):
            lost = ConnectionLost(
                f"{reader.peer}: the connection broke while"
                f" {'waiting for the response' if written else 'sending the request'}:"
                f" {error.strerror or error}",
                request=request,
            )
            self._mark_lost(lost, written)
            return lost
        return error

    def _mark_lost(self, error: ConnectionLost, written: bool) -> None:
        error.is_reused = self.exchanges > 1
        error.is_unanswered = not self.reader.has_received
        error.is_unsent = not (written or self.begun) and error.is_unanswered

    def timed_out(
        self, kind: type[Timeout], phase: str, request: PreparedRequest, doing: str
    ) -> Timeout:
        """The timeout to raise: of the phase, or of the whole call if that has passed."""
        limit = getattr(request.settings.timeouts, phase)
        if request.deadline is not None and self.runtime.now() >= request.deadline - 0.001:
            return DeadlineExceeded(
                f"{self.reader.peer}: the deadline of the whole call passed while {doing}",
                request=request,
            )
        return kind(
            f"{self.reader.peer}: {phase} timeout of {limit} seconds {doing}", request=request
        )

    def __repr__(self) -> str:
        state = f"closed: {self.closing}" if self.closing else f"{self.exchanges} exchanges"
        return f"<Http1Connection {self.route!r}, {state}>"


class Http1Content:
    """The content of a response that has not arrived whole yet: a response's source."""

    __slots__ = (
        "__weakref__", "_connection", "_ending", "_request", "_trailers", "has_length", "run",
    )  # fmt: skip

    def __init__(self, connection: Http1Connection, request: PreparedRequest) -> None:
        self._connection: Http1Connection | None = connection
        # Here and not in Response: most responses come whole and have no source. Not `__del__`: in
        # a cycle the socket's own could come first, and complain.
        self._ending = when_dropped(self, connection.close, ABANDONED)
        self._request = request
        self._trailers: list[tuple[bytes, bytes]] = []
        self.has_length = connection.reader.framing is LENGTH
        self.run = connection.runtime.run

    async def receive(self) -> bytes:
        """The next piece as it came, b"" at the end.

        Raises:
            BodyReadTimeout, DeadlineExceeded, ChunkedEncodingError, IncompleteContent.
        """
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        while not reader.pieces and not reader.complete:
            await self._more(connection, RECEIVE)
        pieces = reader.take_pieces()
        if reader.complete:
            self._end(connection)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def receive_exactly(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; content without a known length as it comes."""
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        if reader.framing is not LENGTH:
            return await self.receive()
        content = BytesIO()  # as in `receive_all`
        for piece in reader.take_pieces():
            content.write(piece)
        while not reader.complete and content.tell() < size:
            await self._receive_into(connection, content, size - content.tell())
        if reader.complete:
            self._end(connection)
        return content.getvalue()

    async def receive_all(self) -> bytes:
        """All that is left. Known length or not, memory grows with what has come."""
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        # Grows in place and hands its bytes over without a copy: 200 MB take 0.97 of the time of
        # recv_into one buffer; pieces and a join 1.9, and twice the memory.
        content = BytesIO()
        while True:
            for piece in reader.take_pieces():
                content.write(piece)
            if reader.complete:
                break
            if reader.framing is LENGTH:
                await self._receive_into(connection, content, RECEIVE_LARGE)
            else:
                await self._more(connection, RECEIVE)
        self._end(connection)
        return content.getvalue()

    async def _receive_into(self, connection: Http1Connection, content: BytesIO, most: int) -> None:
        """The next `most` bytes of content with a known length, up to a MiB, without a copy.

        No room is made beyond that: a Content-Length is only a promise.
        """
        reader = connection.reader
        start = content.tell()
        end = start + min(reader.remaining, most, RECEIVE_LARGE)
        content.seek(end - 1)
        content.write(b"\0")
        with content.getbuffer() as whole:
            while start < end:
                with whole[start:end] as room:
                    start += await self._more(connection, 0, into=room)

    async def drain(self, max_bytes: int, seconds: float) -> bytes | None:
        """All that is left if it is at most `max_bytes` and comes in time; else None."""
        connection = self._connection
        if connection is None:
            return b""
        reader = connection.reader
        if reader.framing is LENGTH and reader.remaining > max_bytes:
            return None
        until = connection.runtime.now() + seconds
        count = sum(map(len, reader.pieces))
        while not reader.complete:
            before = len(reader.pieces)
            try:
                await self._more(connection, RECEIVE, until)
            except (OSError, TimedOut):
                return None
            count += sum(map(len, reader.pieces[before:]))
            if count > max_bytes:
                return None
        content = b"".join(reader.pieces)
        self._end(connection)
        return content

    async def _more(
        self,
        connection: Http1Connection,
        size: int,
        until: float | None = None,
        *,
        into: memoryview | None = None,
    ) -> int:
        """One read from the connection, with errors that name what happened to the content.

        Args:
            into: where content of known length goes, past the reader; the result is how much.
        """
        reader, request = connection.reader, self._request
        deadline = connection._deadline(request, request.settings.timeouts.read)
        if until is not None and (deadline is None or until < deadline):
            deadline = until
        try:
            if into is None:
                connection._feed(await connection.stream.receive(size, deadline))
                return 0
            count = await connection.stream.receive_into(into, deadline)
            if count:
                reader.took(count)
            else:
                reader.eof()
            return count
        except TimedOut:
            error = connection.timed_out(
                BodyReadTimeout, "read", request,
                "in the middle of the content"
                + (f", {reader.remaining} bytes missing" if reader.framing is LENGTH else ""),
            )  # fmt: skip
            self.abort()
            raise error from None
        except RequestException:
            self.abort()
            raise
        except OSError as error:
            self.abort()
            missing = f", {reader.remaining} bytes missing" if reader.framing is LENGTH else ""
            raise IncompleteContent(
                f"{reader.peer}: the connection broke in the middle of the content{missing}:"
                f" {error.strerror or error}"
            ) from error
        except BaseException:
            self.abort()
            raise

    def _end(self, connection: Http1Connection) -> None:
        self._connection = None
        keep(self._ending)
        self._trailers = connection.reader.trailers
        connection.finish(self._request, connection.runtime.now())

    def take_trailers(self) -> list[tuple[bytes, bytes]]:
        return self._trailers

    def abort(self) -> None:
        """Close the connection; what has not been read is lost."""
        connection = self._connection
        if connection is not None:
            self._connection = None
            keep(self._ending)
            connection.close(ABANDONED)


def encode_head(request: PreparedRequest, *, proxy_authorization: str | None = None,
                absolute: bool = False) -> bytes:  # fmt: skip
    """Request line and header section, checked, as bytes of HTTP/1.1 (RFC 9112, 3).

    Args:
        absolute: the request target in absolute-form, as a forwarding proxy wants it.
        proxy_authorization: for that proxy's eyes.

    Raises:
        InvalidMethod, InvalidHeader, LocalProtocolError: it must not be sent like this.
    """
    url = request._url or request.url_parsed
    encoded = request.encoded_fields()
    if encoded.is_framed or request.body is not None:
        _check_framing(request)
        encoded = request.encoded_fields()
    fields = encoded.data
    if proxy_authorization is not None and not request.has_field("proxy-authorization"):
        fields += b"Proxy-Authorization: %b\r\n" % proxy_authorization.encode("latin-1")
    host = b"" if encoded.has_host else url.host_field
    return request_head(request.method, url.absolute if absolute else url.target, host, fields)


def _check_framing(request: PreparedRequest) -> None:
    """Framing fields are ours: what the caller wrote must be true (RFC 9112, 6)."""
    headers, body = request.sent_headers, request.body
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None and length is not None:
        raise LocalProtocolError(
            "both Content-Length and Transfer-Encoding are set; leave both out,"
            " gofer sets the right one"
        )
    if coding is not None and str(coding).lower() != "chunked":
        raise LocalProtocolError("the Transfer-Encoding given is not 'chunked'; leave it out")
    if coding is None and length is None and body is not None:
        request.prepare_content_length(body)  # type: ignore[attr-defined]
        return
    if length is None:
        if body is None:
            raise LocalProtocolError("Transfer-Encoding is set and there is no content to send")
        return
    from gofer.messages.content import is_stream
    from gofer.messages.content import length as length_of

    text = length.decode("latin-1") if isinstance(length, bytes) else str(length)
    if body is None:
        known: int | None = 0
    elif is_stream(body):
        known = None  # checked while it is sent
    else:
        known = length_of(body)
    check_content_length(text, known)


def earlier(deadline: float | None, now: float, seconds: float | None) -> float | None:
    """The end of a phase of `seconds` from `now`, or `deadline` if that comes first."""
    if seconds is None:
        return deadline
    end = now + seconds
    return end if deadline is None or end < deadline else deadline


def _is_plain_file(body: Any) -> bool:
    """True for a file of the operating system opened for bytes, which can be sent as it is."""
    from io import BufferedReader, FileIO

    return type(body) in (BufferedReader, FileIO)


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value
