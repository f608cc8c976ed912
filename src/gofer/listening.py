"""Listening to server-sent events for as long as it takes: `session.events(url)`.

A stream that ends, or breaks, is asked for again where it left off (WHATWG HTML, 9.2.3). All of it
is written once, in `AsyncEventStream`; `EventStream` has the same done for those who wait.
"""

import re
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gofer.dropin.models import Response
from gofer.exceptions import (
    ChunkedEncodingError,
    DeadlineExceeded,
    HTTPError,
    RemoteProtocolError,
    RequestException,
    SSLError,
    Timeout,
    TruncatedContent,
)
from gofer.exceptions import ConnectionError as Unreachable
from gofer.messages.events import EventReader, ServerSentEvent
from gofer.messages.fields import given_fields
from gofer.messages.reading import Reading
from gofer.messages.url import without_secrets
from gofer.runtime.base import Event, TimedOut

if TYPE_CHECKING:
    from typing import Self

    from gofer.client import Client

__all__ = ["AsyncEventStream", "EventStream"]

RETRY = 3.0  # seconds, where the server has not said
SHORTEST_RETRY = 0.1  # seconds, whatever it says: else one that has nothing to say is flooded
LONGEST_RETRY = 3600.0  # seconds that it can ask for
LONGEST_PAUSE = 60.0  # seconds that a pause grows to by itself
NO_CONTENT = 204  # the server has no more to say

_UNSAYABLE = re.compile(r"[\x00-\x08\n-\x1f\x7f]")  # in a field value (RFC 9110, 5.5)


class AsyncEventStream:
    """Events, one after the other, of an `AsyncSession`: for `async for`.

    Attributes:
        response: the `Response` that is being read; None between two connections.
    """

    def __init__(
        self, client: "Client[Any, Any, Any]", url: Any, last_event_id: str, reconnects: int | None,
        options: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.response: Response | None = None
        self._client = client
        self._url = url
        self._fields: list[tuple[Any, Any]] = []
        self._options = dict(options)
        for name, value in given_fields(self._options.pop("headers", None)):
            if not (isinstance(name, str) and name.lower() == "last-event-id"):
                self._fields.append((name, value))
            elif value is not None:  # it is where we begin, and changes with every event
                last_event_id = last_event_id or str(value)
        self._reader = EventReader(last_event_id)
        self._reconnects = reconnects
        self._failures = 0
        self._reading: Reading | None = None
        self._ready: deque[ServerSentEvent] = deque()
        self._error: Exception | None = None  # what to raise when those have been taken
        self._resume_at: float | None = None  # when to connect again
        self._pausing: Event | None = None  # whoever waits for that
        self._is_over = False
        self._is_closed = False
        self._was_open = False  # the server was there once: it may be so again

    @property
    def last_event_id(self) -> str:
        """The id of the last event, behind which the next connection begins; "" without one."""
        return self._reader.last_id

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> ServerSentEvent:
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """Stop listening, and let go of the connection. Whoever listens elsewhere is woken."""
        self._is_over = self._is_closed = True
        self._ready.clear()
        self._let_go()
        pausing = self._pausing
        if pausing is not None:
            pausing.set()

    async def aclose(self) -> None:
        """`close`, which never waits, for those who await everything."""
        self.close()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    # What is waited for -------------------------------------------------------------------------

    async def _next(self) -> ServerSentEvent | None:
        """The next event; None if there will be none. Whoever is cancelled can go on.

        Raises:
            HTTPError: the answer is neither 200 nor 204.
            RemoteProtocolError: it is no event stream.
            RequestException: the connection is lost, and there are no more to be made.
        """
        while not (self._ready or self._is_over):
            if self._error is not None:
                error, self._error = self._error, None
                self.close()
                raise error
            try:
                if self._resume_at is not None:
                    await self._pause(self._resume_at)
                elif self._reading is None:
                    await self._connect()
                else:
                    await self._read(self._reading)
            except Exception as error:  # events that came before it go first
                self._end(error)
        return self._ready.popleft() if self._ready and not self._is_closed else None

    async def _read(self, reading: Reading) -> None:
        piece = await reading.next()
        if piece:
            self._failures = 0
            self._ready.extend(self._reader.feed(piece))
        else:
            self._end(None)

    async def _pause(self, until: float) -> None:
        self._pausing = self._client.network.runtime.event()
        try:
            if not self._is_over:
                await self._pausing.wait(until)
        except TimedOut:
            self._resume_at = None
        finally:
            self._pausing = None

    async def _connect(self) -> None:
        headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-store"), *self._fields]
        identity = _as_field_value(self.last_event_id)
        if identity:
            headers.append(("Last-Event-ID", identity))
        options = dict(self._options)
        method = options.pop("method", "GET")
        response = await self._client._request_(
            method, self._url, headers=headers, stream=True, **options
        )
        self.response = response
        if self._is_closed:  # meanwhile
            self._let_go()
            return
        if response.status_code == NO_CONTENT:
            self.close()
            return
        where = without_secrets(response.url)
        if response.status_code != 200:
            with suppress(RequestException):  # what has come of it may say why
                await response._load()
            raise HTTPError(
                f"listening to {where}: got {response.status_code} {response.reason}, expected 200",
                response=response,
            )
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "text/event-stream":
            raise RemoteProtocolError(
                f"listening to {where}: got {media_type[:60]!r}, expected 'text/event-stream'",
                request=response.request,
            )
        reading = response._begin_reading()
        if reading is None:
            raise TypeError("events cannot be read from a response that an adapter made")
        if hasattr(reading.source, "outlives_cancelling"):
            reading.source.outlives_cancelling = True
        self._reading = reading
        self._was_open = True
        reader, self._reader = self._reader, EventReader(self._reader.last_id)
        self._reader.retry = reader.retry  # what was not whole is forgotten

    def _end(self, reason: Exception | None) -> None:
        """The stream has come to its end, or broke: see to it that there is another, or give up."""
        self._let_go()
        if self._is_closed:
            return
        if reason is not None and not (self._was_open and _may_pass(reason)):
            self._error = reason
            return
        if self._reconnects is not None:
            if self._reconnects <= 0:
                self._error, self._is_over = reason, reason is None
                return
            self._reconnects -= 1
        seconds = pause(self._reader.retry, self._failures)
        self._resume_at = self._client.network.runtime.now() + seconds
        self._failures += 1

    def _let_go(self) -> None:
        response, self.response, self._reading = self.response, None, None
        if response is not None:
            response.close()


class EventStream:
    """Events, one after the other, of a `Session`: for `for`."""

    def __init__(
        self, events: AsyncEventStream, drive: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._events = events
        self._drive = drive

    @property
    def response(self) -> Response | None:
        """The `Response` that is being read; None between two connections."""
        return self._events.response

    @property
    def last_event_id(self) -> str:
        """The id of the last event, behind which the next connection begins; "" without one."""
        return self._events.last_event_id

    def __iter__(self) -> "Self":
        return self

    def __next__(self) -> ServerSentEvent:
        event: ServerSentEvent | None = self._drive(self._events._next())
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Stop listening, and let go of the connection. Whoever listens elsewhere is woken."""
        self._events.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def pause(asked: float | None, failures: int) -> float:
    """Seconds until a stream is asked for again: longer, each time in vain.

    Args:
        asked: what the server said.
        failures: times in a row that nothing came.
    """
    seconds = min(max(RETRY if asked is None else asked, SHORTEST_RETRY), LONGEST_RETRY)
    return min(seconds * (1 << min(failures, 10)), max(seconds, LONGEST_PAUSE))


def _may_pass(error: BaseException) -> bool:
    """True for what another connection may not meet again."""
    if isinstance(error, RemoteProtocolError | SSLError | DeadlineExceeded):
        return False
    return isinstance(error, Unreachable | ChunkedEncodingError | TruncatedContent | Timeout)


def _as_field_value(identity: str) -> str:
    """What Last-Event-ID can say of an id; "" if nothing.

    White space around a field value is not part of it, and an id may hold what none can.
    """
    value = identity.strip(" \t")
    return "" if _UNSAYABLE.search(value) else value.encode("utf-8").decode("latin-1")
