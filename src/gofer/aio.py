"""`AsyncSession`: the same face as `Session`, for asyncio and trio: its calls are awaited.

    async with gofer.AsyncSession() as s:
        r = await s.get("https://example.com/")

The functions of this module are a session for one call each. State: one network for each event
loop, since connections belong to the loop they were made in; a session may outlive several.
"""

from collections.abc import Coroutine
from functools import cached_property
from typing import Any

from gofer.client import Client, Road
from gofer.dropin.models import Response
from gofer.network.endings import when_dropped
from gofer.network.exchange import Network
from gofer.network.pool import Pool
from gofer.runtime import here
from gofer.runtime.base import Runtime
from gofer.state import SessionState
from gofer.verbs import Verbs

__all__ = [
    "AsyncSession", "delete", "get", "head", "options", "patch", "post", "put", "request",
]  # fmt: skip

Awaitable = Coroutine[Any, Any, Response]


class AsyncSession(Client[Awaitable]):
    __doc__ = (SessionState.__doc__ or "").replace(
        "By default it is read when it is asked for.", "By default it is read."
    )

    _can_await = True
    _prefetch_default = True  # properties cannot await

    @cached_property
    def _roads(self) -> dict[Any, Road]:
        """Networks, by the loop they belong to."""
        roads: dict[Any, Road] = {}
        when_dropped(self, _abandon, roads)  # for those who never call close()
        return roads

    def _drive(self, coroutine: Awaitable) -> Awaitable:
        return coroutine

    @property
    def _runtime(self) -> Runtime:  # type: ignore[override]
        return here.runtime()  # type: ignore[no-any-return]

    @property
    def _road(self) -> Road | None:  # type: ignore[override]
        return self._roads.get(here.runtime().loop())

    def _make_road(self) -> Road:
        runtime = here.runtime()
        for loop in [loop for loop in self._roads if runtime.is_over(loop)]:
            self._roads.pop(loop).network.pool.close()
        pool = Pool(runtime, self._pool_limits())
        road = Road(Network(runtime, self._limits(), pool, self.alternatives))
        self._roads[runtime.loop()] = road
        return road

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        for road in self._roads.values():
            road.network.pool.close()

    async def aclose(self) -> None:
        """`close`, which never waits, for those who await everything."""
        self.close()

    async def __aenter__(self) -> "AsyncSession":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()


def _abandon(roads: dict[Any, Road]) -> None:
    for road in roads.values():
        road.network.pool.abandon()


class _OneCall(Verbs[Awaitable]):
    """A session for one call, closed when the call is done."""

    async def request(
        self, method: Any, url: Any, *, session: AsyncSession | None = None, **kwargs: Any
    ) -> Response:
        """Send a request; keywords as in `AsyncSession.request`.

        Args:
            session: run the call on this session instead of one of its own.
        """
        if session is not None:
            return await session.request(method, url, **kwargs)
        async with AsyncSession() as own:
            return await own.request(method, url, **kwargs)


_one_call = _OneCall()
request = _one_call.request
delete, get, head, options = _one_call.delete, _one_call.get, _one_call.head, _one_call.options
patch, post, put = _one_call.patch, _one_call.post, _one_call.put
