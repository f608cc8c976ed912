"""`map` and `imap`: many requests, some at a time, on gofer's own engine (`runtime/hub.py`).

One thread does it all, and stages and network are those of every other face. `_Bulk` owns one run:
what is open, what waits for its host's turn, what is done and not handed out yet. Each of these
has a bound that does not grow with the number of requests, so the input may be a generator of
millions. Cookies are the session's own, and its connections are there for its next run.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from heapq import heappop, heappush
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from gofer.bulk_clients import BulkClient, KeptRoad, client_for
from gofer.bulk_input import Input, origin_of, session_of_first, sharing_key, url_as_given
from gofer.client import failed_response
from gofer.dropin.models import PreparedRequest, Request, Response
from gofer.precedence import prefetch_from
from gofer.sessions import Session

if TYPE_CHECKING:
    from typing import Unpack

    from gofer.arguments import BulkOptions

__all__ = ["imap", "map"]

Instead = TypeVar("Instead")  # what an exception handler puts in the place of a response

MOST_AT_ONCE = 512  # open exchanges where the caller sets no `size`
LOOK_AHEAD = 1000  # items read past one whose host is at its limit


@overload
def map(  # noqa: A001
    requests: Iterable[Any],
    size: int | None = None,
    *,
    exception_handler: None = None,
    **options: "Unpack[BulkOptions]",
) -> list[Response]: ...


@overload
def map(  # noqa: A001
    requests: Iterable[Any],
    size: int | None = None,
    *,
    exception_handler: "Callable[[Any, Exception], Instead | None]",
    **options: "Unpack[BulkOptions]",
) -> list[Response | Instead]: ...


def map(  # noqa: A001  (the name of 2012)
    requests: Iterable[Any],
    size: int | None = None,
    *,
    prefetch: bool | None = None,
    **options: Any,
) -> list[Any]:
    """The responses to `requests`, sent at the same time, in the order of the requests.

    Args:
        requests: URLs, (method, URL) pairs, dicts of arguments for `Session.request`, `Request`s
            or `PreparedRequest`s, mixed at will.
        size: how many are open at a time, content included; None: 512.
        options: those of `imap`, but for `ordered`.

    Returns:
        One response for each request. A request that failed has a falsy one in its place, with
        status_code 0 and the exception as `.error`.

    Raises:
        ValueError: a limit that is zero or negative.
        TypeError: `requests` is a single request.
    """
    size = MOST_AT_ONCE if size is None else size
    return list(imap(requests, size, prefetch=prefetch, ordered=True, **options))


@overload
def imap(
    requests: Iterable[Any],
    size: int = 64,
    *,
    ordered: bool = False,
    exception_handler: None = None,
    **options: "Unpack[BulkOptions]",
) -> Iterator[Response]: ...


@overload
def imap(
    requests: Iterable[Any],
    size: int = 64,
    *,
    ordered: bool = False,
    exception_handler: "Callable[[Any, Exception], Instead | None]",
    **options: "Unpack[BulkOptions]",
) -> Iterator[Response | Instead]: ...


def imap(
    requests: Iterable[Any],
    size: int = 64,
    *,
    prefetch: bool | None = None,
    stream: bool | None = None,
    session: Session | None = None,
    ordered: bool = False,
    per_host: int | None = None,
    rate: float | None = None,
    rate_per_host: float | None = None,
    deadline: float | None = None,
    dedupe: bool = False,
    on_error: Literal["keep", "raise"] = "keep",
    exception_handler: Callable[[Any, Exception], Any] | None = None,
    progress: bool | Callable[[int, int, int | None], Any] = False,
) -> Iterator[Any]:
    """The responses to `requests` as they complete; `requests` is read only as far as needed.

    Closing the iterator stops everything that is under way.

    Args:
        requests: as for `map`; a generator of millions is fine. It is read in the caller's thread:
            while it takes its time nothing else goes on, and then the others have a turn.
        size: how many are open at a time, content included.
        prefetch, stream: whether contents are read; they are, unless told otherwise.
        session: whose defaults, cookies, auth and hooks count for requests that have no session.
        ordered: yield in the order of the requests.
        per_host: how many of them may be open to one origin.
        rate, rate_per_host: requests begun per second, in all and for each origin.
        deadline: seconds for the whole run; what is not done then has failed.
        dedupe: a safe request equal to one that is under way shares its response.
        on_error: "keep" puts a falsy response in the place of one that failed; "raise" stops
            everything and raises its error.
        exception_handler: called with the request and its exception; what it returns, if it is
            not None, takes the place of the response.
        progress: True shows a bar on a terminal (extra `progress`) and nothing elsewhere; or a
            function of (done, failed, total or None).

    Raises:
        ValueError: a limit that is zero or negative.
        TypeError: `requests` is a single request.
    """
    for name, value in (("size", size), ("per_host", per_host), ("rate", rate),
                        ("rate_per_host", rate_per_host), ("deadline", deadline)):  # fmt: skip
        if value is not None and not value > 0:
            raise ValueError(f"{name} is {value!r}: expected more than 0, or None for no limit")
    if on_error not in ("keep", "raise"):
        raise ValueError(f"on_error is {on_error!r}: expected 'keep' or 'raise'")
    prefetch = prefetch_from(prefetch, stream)
    has_host_limits = per_host is not None or rate_per_host is not None
    bulk = _Bulk(
        requests,
        size,
        prefetch=prefetch is not False,
        session=session,
        ordered=ordered,
        rate=rate,
        hosts=_Hosts(per_host, rate_per_host) if has_host_limits else None,
        until=None if deadline is None else monotonic() + deadline,
        dedupe=dedupe,
        raises=on_error == "raise",
        exception_handler=exception_handler,
    )
    results = bulk.results()
    if progress:
        from gofer.progress import reporting

        return reporting(results, progress, bulk)
    return results


class _Item:
    """One request of a run: what was given, where it stands, and what became of it."""

    __slots__ = ("followers", "given", "host", "key", "result")

    def __init__(self, given: Any) -> None:
        self.given = given
        self.host: _Host | None = None
        self.key: Any = None
        self.result: Any = None
        self.followers: list[_Item] = []


class _Host:
    """An origin that has limits: how many are open, who waits, and when the next may begin."""

    __slots__ = ("next_start", "open", "origin", "waiting")

    def __init__(self, origin: Any) -> None:
        self.origin = origin
        self.open = 0
        self.next_start = 0.0
        self.waiting: deque[_Item] = deque()


class _Hosts:
    """The limits of each origin. One that has nothing open and nobody waiting is forgotten."""

    def __init__(self, most_open: int | None, rate: float | None) -> None:
        self.parked = 0  # items that wait for their host's turn
        self._most_open = most_open
        self._interval = 0.0 if rate is None else 1.0 / rate
        self._hosts: dict[Any, _Host] = {}
        self._ready: deque[_Host] = deque()  # hosts with an item that waits and may begin
        self._later: list[tuple[float, int, _Host]] = []  # a heap: whose rate allows it then
        self._serial = 0

    def admits(self, item: _Item, origin: Any) -> bool:
        """True if `item` may begin now; otherwise it waits in line."""
        host = self._hosts.get(origin)
        if host is None:
            host = self._hosts[origin] = _Host(origin)
        item.host = host
        if not host.waiting and self._has_room(host, monotonic()):
            return True
        host.waiting.append(item)
        self.parked += 1
        return False

    def take(self) -> _Item | None:
        """The next item that waited and may begin now."""
        now = monotonic()
        later, ready = self._later, self._ready
        while later and later[0][0] <= now:
            self._look_at(heappop(later)[2], now)
        while ready:
            host = ready.popleft()
            if host.waiting and self._has_room(host, now):
                self.parked -= 1
                return host.waiting.popleft()
        return None

    def begin(self, host: _Host) -> None:
        """An item of `host` begins."""
        now = monotonic()
        host.open += 1
        host.next_start = now + self._interval
        self._look_at(host, now)

    def end(self, host: _Host) -> None:
        """An item of `host` is done."""
        host.open -= 1
        self._look_at(host, monotonic())

    def next_start(self) -> float | None:
        """When the next limit of rate ends."""
        return self._later[0][0] if self._later else None

    def _has_room(self, host: _Host, now: float) -> bool:
        if self._most_open is not None and host.open >= self._most_open:
            return False
        return now >= host.next_start

    def _look_at(self, host: _Host, now: float) -> None:
        """Put `host` where it is found again when something may happen to it."""
        if now < host.next_start:
            if not host.open or host.waiting:
                self._serial += 1
                heappush(self._later, (host.next_start, self._serial, host))
        elif host.waiting:
            if self._has_room(host, now):
                self._ready.append(host)
        elif not host.open:
            self._hosts.pop(host.origin, None)


class _Bulk:
    """One run of `imap`."""

    def __init__(
        self,
        requests: Iterable[Any],
        size: int,
        *,
        prefetch: bool,
        session: Session | None,
        ordered: bool,
        rate: float | None,
        hosts: _Hosts | None,
        until: float | None,
        dedupe: bool,
        raises: bool,
        exception_handler: Callable[[Any, Exception], Any] | None,
    ) -> None:
        self._input = Input(requests)
        self.total = self._input.total
        self.failed = 0
        self._size = size
        self._prefetch = prefetch
        self._session = session
        self._ordered = ordered
        self._interval = 0.0 if rate is None else 1.0 / rate
        self._hosts = hosts
        self._until = until
        self._dedupe = dedupe
        self._raises = raises
        self._exception_handler = exception_handler

        # Whose connections outlive the run; a generator is not asked for its first item yet.
        self._keeper = session or session_of_first(requests)
        self._road = KeptRoad.taken_from(self._keeper)
        self._hub = self._road.hub
        self._clients: dict[int, tuple[Any, BulkClient]] = {}
        self._open = 0  # exchanges under way
        self._next_start = 0.0  # by `rate`, monotonic seconds
        self._sharing: dict[Any, _Item] = {}  # what others may share, by what makes them equal
        self._done: deque[_Item] = deque()  # not handed out yet
        self._pending: deque[_Item] = deque()  # all of them in the order of the requests
        self._fatal: BaseException | None = None

    # Handing out --------------------------------------------------------------------------------

    def results(self) -> Generator[Any, None, None]:
        """The results, as they complete or in order; the run ends with the iterator."""
        try:
            while True:
                item = self._take_done()
                if item is None:
                    self._input.end_pause(self._open)
                    self._begin_more()
                    item = self._take_done()  # some fail at once
                if item is not None:
                    yield item.result
                    continue
                if self._fatal is not None:
                    raise self._fatal
                if not self._open and not self._is_waiting():
                    return
                self._hub.turn(self._wake_up_at())
        finally:
            self._close()

    def _take_done(self) -> _Item | None:
        if not self._ordered:
            return self._done.popleft() if self._done else None
        pending = self._pending
        return pending.popleft() if pending and pending[0].result is not None else None

    def _is_waiting(self) -> bool:
        """True if there is something that has not begun."""
        return self._input.is_open or (self._hosts is not None and self._hosts.parked > 0)

    def _wake_up_at(self) -> float | None:
        """When something may begin though nothing ends: limits of rate say, and slow input."""
        if self._open >= self._size or not self._is_waiting():
            return None
        until = self._hosts.next_start() if self._hosts is not None else None
        if self._interval and (until is None or until < self._next_start):
            until = self._next_start
        pause = self._input.pause
        return pause if until is None or (pause is not None and pause < until) else until

    # Beginning ------------------------------------------------------------------------------------

    def _begin_more(self) -> None:
        """Begin as many requests as the limits allow."""
        # Not handed out yet: one before them is not done, or they failed at once, all in one turn.
        if len(self._done) >= 4 * self._size:
            return
        while self._open < self._size and self._fatal is None:
            if self._ordered and len(self._pending) >= 4 * self._size:
                return
            now = monotonic() if self._interval else 0.0
            if now < self._next_start:
                return
            item = self._next_item()
            if item is None:
                return
            if self._interval:
                self._next_start = now + self._interval
            self._open += 1
            if item.host is not None:
                self._hosts.begin(item.host)  # type: ignore[union-attr]
            self._hub.start(self._exchange(item))

    def _next_item(self) -> _Item | None:
        """The next item that may begin now: one that waited for its host, or a new one."""
        hosts, source = self._hosts, self._input
        if hosts is not None and hosts.parked:
            item = hosts.take()
            if item is not None:
                return item
        while source.is_open and source.pause is None:
            if hosts is not None and hosts.parked >= LOOK_AHEAD:
                return None
            item = self._read()
            if item is None or self._is_shared(item):
                continue
            if hosts is None or hosts.admits(item, origin_of(item.given)):
                return item
        return None

    def _read(self) -> _Item | None:
        """The next item of the input; None if it has none, or nothing to send."""
        item = _Item(None)
        try:
            item.given = self._input.read()
        except StopIteration:
            return None
        except Exception as error:  # the caller's generator failed: that has a place of its own
            if self._ordered:
                self._pending.append(item)
            self._fail(item, error)
            return None
        if self._ordered:
            self._pending.append(item)
        return item

    def _is_shared(self, item: _Item) -> bool:
        """True if `item` will have the answer of an equal one that is not done yet."""
        if not self._dedupe:
            return False
        key = sharing_key(item.given)
        if key is None:
            return False
        first = self._sharing.setdefault(key, item)
        if first is item:
            item.key = key
            return False
        first.followers.append(item)
        return True

    # One exchange ---------------------------------------------------------------------------------

    async def _exchange(self, item: _Item) -> None:
        """Send one item and keep what came of it."""
        given = item.given
        try:
            try:
                if type(given) is str:
                    response = await self._client_of(None)._request_("GET", given)
                else:
                    response = await self._send(given)
            except Exception as error:
                self._fail(item, error)
            else:
                self._finish(item, response)
        except GeneratorExit:  # the run was stopped
            raise
        except BaseException as error:  # Ctrl-C in a hook, or the caller's handler failed
            self._fatal = self._fatal or error
        self._open -= 1
        if item.host is not None:
            self._hosts.end(item.host)  # type: ignore[union-attr]
        # What is next goes out in the same turn, before anybody looks at this result.
        if not self._input.is_slow:
            self._begin_more()

    async def _send(self, given: Any) -> Any:
        """The response to anything that `map` takes."""
        if isinstance(given, Request):
            client = self._client_of(given.session)
            response = await client._request_(**given.as_arguments(), **given.options)
            given.sent = True
            given.response = response
            return response
        if isinstance(given, PreparedRequest):
            return await self._client_of(given.session)._send_(given)
        client = self._client_of(None)
        if isinstance(given, dict):
            return await client._request_(**{"method": "GET", **given})
        if isinstance(given, (tuple, list)) and len(given) == 2:
            return await client._request_(*given)
        if given is None or isinstance(given, (int, float, tuple, list, set)):
            raise TypeError(
                f"not a request: {given!r:.60}; expected a URL, (method, URL), a dict of arguments,"
                " or a Request"
            )
        return await client._request_("GET", given)

    def _client_of(self, session: Any) -> BulkClient:
        """Who sends for the session that an item belongs to."""
        session = session or self._session
        if session is None:
            session = self._session = Session()
        known = self._clients.get(id(session))
        if known is None:
            # The hub is the run's; of a session that joins later there is no pool on it yet.
            road = self._road if session is self._keeper else KeptRoad(self._hub)
            client = client_for(
                session, road, size=self._size, prefetch=self._prefetch, until=self._until
            )
            known = self._clients[id(session)] = session, client  # kept, or its id is reused
        return known[1]

    # Its outcome ----------------------------------------------------------------------------------

    def _finish(self, item: _Item, result: Any) -> None:
        if item.key is not None:
            del self._sharing[item.key]
        item.result = result
        for follower in item.followers:
            follower.result = result
        if not self._ordered:
            self._done.append(item)
            self._done.extend(item.followers)

    def _fail(self, item: _Item, error: Exception) -> None:
        """A failed item keeps its place: with a falsy response, or what the handler makes of it."""
        if self._raises:
            self._fatal = self._fatal or error
            return
        self.failed += 1
        given = item.given
        request = getattr(error, "request", None)
        result: Any = failed_response(error, request)
        if request is None:  # refused before it was one
            result.url = url_as_given(given)
            result.request = given if isinstance(given, Request | PreparedRequest) else None
        if isinstance(given, Request):
            given.response = result
        if self._exception_handler is not None:
            value = self._exception_handler(
                given if isinstance(given, Request) else request or given, error
            )
            result = result if value is None else value
        self._finish(item, result)

    def _close(self) -> None:
        """Stop what is under way; close what idles."""
        self._input.close()
        self._hub.close()
        for session, client in self._clients.values():
            if session is not self._keeper:
                client.close()
        if self._keeper is not None:
            self._road.leave_to(self._keeper)
