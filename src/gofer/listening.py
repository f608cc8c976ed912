"""Listening to server-sent events for as long as it takes: `session.events(url)`.

A stream that ends, or breaks, is asked for again where it left off (WHATWG HTML, 9.2.3).
"""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gofer.dropin.models import Response
from gofer.exceptions import (
    ChunkedEncodingError,
    DeadlineExceeded,
    HTTPError,
    RemoteProtocolError,
    SSLError,
    Timeout,
)
from gofer.exceptions import ConnectionError as Unreachable
from gofer.messages.events import EventReader, ServerSentEvent
from gofer.messages.reading import Reading

if TYPE_CHECKING:
    from gofer.client import Client

__all__ = ["EventStream"]

RETRY = 3.0  # seconds, where the server has not said
LONGEST_RETRY = 60.0
NO_CONTENT = 204  # the server has no more to say


class EventStream:
    """Events, one after the other: for `for` with a `Session`, `async for` with an `AsyncSession`.

    Attributes:
        response: the `Response` that is being read; None between two connections.
    """

    def __init__(
        self, client: "Client[Any, Any]", url: Any, last_event_id: str, reconnects: int | None,
        options: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.response: Response | None = None
        self._client = client
        self._url = url
        self._reader = EventReader(last_event_id)
        self._reconnects = reconnects
        self._failures = 0
        self._options = options
        self._reading: Reading | None = None
        self._ready: deque[ServerSentEvent] = deque()
        self._is_over = False
        self._was_open = False  # the server was there once: it may be so again

    @property
    def last_event_id(self) -> str:
        """The id of the last event, behind which the next connection begins; "" without one."""
        return self._reader.last_id

    # How it is waited for -----------------------------------------------------------------------

    def __iter__(self) -> "EventStream":
        if self._client._can_await:
            raise TypeError("events of an AsyncSession come to `async for`")
        return self

    def __next__(self) -> ServerSentEvent:
        event = self._client._drive(self._next())
        if event is None:
            raise StopIteration
        return event  # type: ignore[no-any-return]

    def __aiter__(self) -> "EventStream":
        if not self._client._can_await:
            raise TypeError("events of a Session come to `for`")
        return self

    async def __anext__(self) -> ServerSentEvent:
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """Stop listening, and let go of the connection."""
        self._is_over = True
        self._ready.clear()
        self._let_go()

    async def aclose(self) -> None:
        """`close`, which never waits, for those who await everything."""
        self.close()

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> "EventStream":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    # What is waited for -------------------------------------------------------------------------

    async def _next(self) -> ServerSentEvent | None:
        """The next event; None if there will be none.

        Raises:
            HTTPError: the answer is neither 200 nor 204.
            RemoteProtocolError: it is no event stream.
            RequestException: the connection is lost, and there are no more to be made.
        """
        while not self._ready and not self._is_over:
            try:
                if self._reading is None:
                    await self._connect()
                    continue
                piece = await self._reading.next()
                self._ready.extend(self._reader.feed(piece) if piece else self._reader.end())
                if piece:
                    self._failures = 0
                    continue
                reason: BaseException | None = None  # it came to its end
            except BaseException as error:
                if not (self._was_open and _may_pass(error)):
                    self.close()
                    raise
                reason = error
            await self._again(reason)
        return self._ready.popleft() if self._ready else None

    async def _connect(self) -> None:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id.encode("utf-8").decode("latin-1")
        options = dict(self._options)
        headers.update(options.pop("headers", None) or {})
        method = options.pop("method", "GET")
        response = await self._client._request(
            method, self._url, headers=headers, stream=True, **options
        )
        self.response = response
        if response.status_code == NO_CONTENT:
            self.close()
            return
        if response.status_code != 200:
            raise HTTPError(
                f"listening to {response.url}: got {response.status_code} {response.reason},"
                " expected 200",
                response=response,
            )
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "text/event-stream":
            raise RemoteProtocolError(
                f"listening to {response.url}: got {media_type[:60]!r}, expected"
                " 'text/event-stream'",
                request=response.request,
            )
        self._reading = response._begin_reading()
        if self._reading is None:
            raise TypeError("events cannot be read from a response that an adapter made")
        self._was_open = True
        reader, self._reader = self._reader, EventReader(self._reader.last_id)
        self._reader.retry = reader.retry  # what was not whole is forgotten

    async def _again(self, reason: BaseException | None) -> None:
        """Wait, for longer each time in vain; or give up."""
        self._let_go()
        if self._ready:
            return
        if self._reconnects is not None:
            if self._reconnects <= 0:
                self._is_over = True
                if reason is not None:
                    raise reason
                return
            self._reconnects -= 1
        wait = RETRY if self._reader.retry is None else self._reader.retry
        await self._client.network.runtime.sleep(min(wait * 2**self._failures, LONGEST_RETRY))
        self._failures = min(self._failures + 1, 10)

    def _let_go(self) -> None:
        response, self.response, self._reading = self.response, None, None
        if response is not None:
            response.close()


def _may_pass(error: BaseException) -> bool:
    """True for what another connection may not meet again."""
    if isinstance(error, RemoteProtocolError | SSLError | DeadlineExceeded):
        return False
    return isinstance(error, Unreachable | ChunkedEncodingError | Timeout)
