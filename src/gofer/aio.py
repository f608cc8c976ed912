"""`AsyncSession`: the same face as `Session`, for asyncio and trio: its calls are awaited.

    async with gofer.AsyncSession() as s:
        r = await s.get("https://example.com/")

The functions of this module are a session for one call each. State: one network for each event
loop, since connections belong to the loop they were made in; a session may outlive several.
"""

from collections.abc import Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gofer.client import Client
from gofer.dropin.models import Response
from gofer.network.endings import when_dropped
from gofer.network.exchange import Network
from gofer.network.pool import Pool
from gofer.road import Road
from gofer.runtime import here
from gofer.runtime.base import Runtime

if TYPE_CHECKING:
    from typing import Self, Unpack

    from gofer.arguments import (
        Data,
        GetOptions,
        Params,
        PostOptions,
        PutOptions,
        RequestOptions,
        Url,
    )
    from gofer.listening import AsyncEventStream
    from gofer.websocket import AsyncWebSocket

__all__ = [
    "AsyncSession", "delete", "get", "head", "options", "patch", "post", "put", "request",
]  # fmt: skip

Awaitable = Coroutine[Any, Any, Response]


class AsyncSession(Client[Awaitable, "AsyncWebSocket", "AsyncEventStream"]):
    """A `Session` whose calls are awaited, for asyncio and trio.

        async with gofer.AsyncSession(timeout=10) as s:
            r = await s.get("https://example.com/")

    Content is read before a call returns, unless it is told `stream=True`. Tasks may share it, and
    event loops may use it one after the other.
    """

    _can_await_ = True
    _prefetch_default_ = True  # properties cannot await

    @cached_property
    def _roads_(self) -> dict[Any, Road]:
        """Networks, by the loop they belong to."""
        roads: dict[Any, Road] = {}
        when_dropped(self, _abandon, roads)  # for those who never call close()
        return roads

    def _drive_(self, coroutine: Awaitable) -> Awaitable:
        return coroutine

    def _conversation_(self, socket: "AsyncWebSocket") -> "AsyncWebSocket":
        return socket

    def _listening_(self, events: "AsyncEventStream") -> "AsyncEventStream":
        return events

    @property
    def _runtime_(self) -> Runtime:  # type: ignore[override]
        return here.runtime()  # type: ignore[no-any-return]

    @property
    def _road_(self) -> Road | None:  # type: ignore[override]
        return self._roads_.get(here.runtime().loop())

    def _make_road_(self) -> Road:
        runtime = here.runtime()
        for loop in [loop for loop in self._roads_ if runtime.is_over(loop)]:
            self._roads_.pop(loop).network.pool.close()
        pool = Pool(runtime, self._pool_limits_())
        road = Road(Network(runtime, self._limits_(), pool, self.alternatives))
        self._roads_[runtime.loop()] = road
        return road

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        for road in self._roads_.values():
            road.network.pool.close()

    async def aclose(self) -> None:
        """`close`, which never waits, for those who await everything."""
        self.close()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()


def _abandon(roads: dict[Any, Road]) -> None:
    for road in roads.values():
        road.network.pool.abandon()


async def request(
    method: str | bytes,
    url: "Url",
    *,
    session: AsyncSession | None = None,
    **options: "Unpack[RequestOptions]",
) -> Response:
    """`gofer.request`, awaited; `session` is an `AsyncSession`."""
    if session is not None:
        return await session.request(method, url, **options)
    async with AsyncSession() as own:
        return await own.request(method, url, **options)


async def get(
    url: "Url",
    params: "Params | None" = None,
    *,
    session: AsyncSession | None = None,
    **options: "Unpack[GetOptions]",
) -> Response:
    """`gofer.get`, awaited."""
    return await request("GET", url, params=params, session=session, **options)


async def options(
    url: "Url", *, session: AsyncSession | None = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """`gofer.options`, awaited."""
    return await request("OPTIONS", url, session=session, **options)


async def head(
    url: "Url", *, session: AsyncSession | None = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """`gofer.head`, awaited."""
    options.setdefault("allow_redirects", False)
    return await request("HEAD", url, session=session, **options)


async def post(
    url: "Url",
    data: "Data | None" = None,
    json: Any = None,
    *,
    session: AsyncSession | None = None,
    **options: "Unpack[PostOptions]",
) -> Response:
    """`gofer.post`, awaited."""
    return await request("POST", url, data=data, json=json, session=session, **options)


async def put(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: AsyncSession | None = None,
    **options: "Unpack[PutOptions]",
) -> Response:
    """`gofer.put`, awaited."""
    return await request("PUT", url, data=data, session=session, **options)


async def patch(
    url: "Url",
    data: "Data | None" = None,
    *,
    session: AsyncSession | None = None,
    **options: "Unpack[PutOptions]",
) -> Response:
    """`gofer.patch`, awaited."""
    return await request("PATCH", url, data=data, session=session, **options)


async def delete(
    url: "Url", *, session: AsyncSession | None = None, **options: "Unpack[RequestOptions]"
) -> Response:
    """`gofer.delete`, awaited."""
    return await request("DELETE", url, session=session, **options)
