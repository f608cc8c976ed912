"""Who sends the requests of a bulk run: a session's twin on the hub, or the session itself.

A session that nobody changed has a twin (`HubClient`) with the same defaults and cookies and with
connections on the hub. What the twin leaves idle at the end of a run is kept with the session
(`KeptRoad`), so that its next run need not connect again. A session that goes its own way, because
a subclass, a mounted adapter or a library replaced one of its steps, is asked itself, each time in
a thread (`ThreadClient`), because what it does may wait in any way it likes.
"""

import contextlib
from collections.abc import Callable
from time import monotonic
from typing import Any

from gofer.client import Client
from gofer.dropin.models import Response
from gofer.exceptions import DeadlineExceeded
from gofer.network.endings import when_dropped
from gofer.network.exchange import Network
from gofer.network.pool import Pool
from gofer.road import Road
from gofer.runtime.base import TimedOut
from gofer.runtime.hub import Hub
from gofer.runtime.threads import in_thread
from gofer.sessions import Session

__all__ = ["BulkClient", "HubClient", "KeptRoad", "ThreadClient", "client_for"]


class KeptRoad:
    """A hub that nobody turns, and a pool of connections on it: what a run leaves to the next.

    It waits in its session, and is taken by one run at a time: another that begins meanwhile has
    a road of its own.
    """

    __slots__ = ("hub", "pool")

    def __init__(self, hub: Hub, pool: Pool | None = None) -> None:
        self.hub = hub
        self.pool = pool

    @classmethod
    def taken_from(cls, session: Client[Any, Any, Any] | None) -> "KeptRoad":
        """What the last run of `session` left, or a new one."""
        roads = None if session is None else session._kept_roads_
        if roads:
            with contextlib.suppress(IndexError):  # another thread was quicker
                return roads.pop()  # type: ignore[no-any-return]
        return cls(_new_hub(session))

    def leave_to(self, session: Client[Any, Any, Any]) -> None:
        """Let the next run of `session` have it, unless it has one by now.

        Where responses are still open it is not kept: two threads could turn the same hub.
        """
        pool = self.pool
        if pool is None:
            return
        idle, in_use, _ = pool.counts
        if in_use or not idle or session._kept_roads_:
            pool.close()
            return
        if "_kept_roads_" not in session.__dict__:
            session._kept_roads_ = []
            when_dropped(session, _abandon, session._kept_roads_)  # if nobody calls close()
        session._kept_roads_.append(self)


def _new_hub(session: Client[Any, Any, Any] | None) -> Hub:
    """A hub that waits as `session` does: with gevent the other greenlets go on."""
    if session is not None and session._runtime_.name == "gevent":
        from gofer.runtime.gevent import GeventHub

        return GeventHub()
    return Hub()


def _abandon(roads: list[KeptRoad]) -> None:
    for road in roads:
        road.pool.abandon()  # type: ignore[union-attr]


class HubClient(Client[Any, Any, Any]):
    """A session's twin on a hub: the same defaults and cookies, connections of its own."""

    def __init__(
        self,
        session: Client[Any, Any, Any],
        road: KeptRoad,
        *,
        size: int,
        prefetch: bool,
        until: float | None,
    ) -> None:
        self.__dict__.update(session.__dict__)
        self.__dict__.pop("_kept_roads_", None)  # the session's; the twin is one if sent by again
        self._until_ = until
        self._runtime_ = road.hub
        self._settings_ = None
        self._sent_headers_ = None
        self._config_ = session._config_.copy()
        self._config_["prefetch"] = prefetch
        limits = self._pool_limits_()
        limits.idle_per_host = max(limits.idle_per_host, size)
        limits.hosts = max(limits.hosts, size)
        if road.pool is None:
            road.pool = Pool(road.hub, limits)
        else:
            road.pool.limits = limits
        self._road_ = Road(Network(road.hub, self._limits_(), road.pool, self.alternatives))

    def _drive_(self, coroutine: Any) -> Any:
        return self._runtime_.run(coroutine)

    async def _send_(self, request: Any, *arguments: Any, **options: Any) -> Any:
        request.outer_deadline = self._until_
        return await super()._send_(request, *arguments, **options)


class ThreadClient:
    """A session that goes its own way: each of its calls has a thread, and the hub goes on.

    A thread whose time is up, or whose run was stopped, is left behind: it ends with its call.
    """

    def __init__(
        self, session: Any, road: KeptRoad, *, size: int, prefetch: bool, until: float | None
    ) -> None:
        del size  # there are never more threads than open exchanges
        self._session = session
        self._hub = road.hub
        self._prefetch = prefetch
        self._until = until

    async def _request_(self, method: Any, url: Any, **options: Any) -> Any:
        given = {name: value for name, value in options.items() if value is not None}
        return await self._in_thread(given, lambda: self._session.request(method, url, **given))

    async def _send_(self, request: Any) -> Any:
        return await self._in_thread({}, lambda: self._session.send(request))

    async def _in_thread(self, options: dict[str, Any], call: Callable[[], Any]) -> Any:
        reads = self._prefetch and "stream" not in options and "prefetch" not in options

        def work() -> Any:
            response = call()
            if reads and isinstance(response, Response):
                response.content  # noqa: B018  (reads it, here and not in the hub's thread)
            return response

        if self._until is not None and monotonic() >= self._until:
            raise DeadlineExceeded("the deadline of the whole run passed before this call began")
        try:
            return await in_thread(work, self._hub.event, self._until)
        except TimedOut:
            raise DeadlineExceeded("the deadline of the whole run passed") from None

    def close(self) -> None:
        """Nothing: the connections are the session's own."""


BulkClient = HubClient | ThreadClient


def client_for(session: Any, road: KeptRoad, **options: Any) -> BulkClient:
    """Who sends for `session` on `road`; options as for `HubClient`."""
    kind = ThreadClient if _goes_its_own_way(session) else HubClient
    return kind(session, road, **options)


def _goes_its_own_way(session: Any) -> bool:
    """True if somebody replaced what sends: in a subclass, on this session, or in the class."""
    if not isinstance(session, Session):
        return not isinstance(session, Client)
    if getattr(session.request, "__func__", None) is not _REQUEST:
        return True
    return session._goes_by_steps_()


_REQUEST = Client.request
