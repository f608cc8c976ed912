"""The worlds gofer lives in: the same test, the same text of gofer, another way to wait.

`world` is the one fixture that makes a test run in all of them. A test speaks to `gofer.Session`
as ever; in the world of an event loop each call is driven to its end by that loop, and so is each
access to content. Mark a test with `@pytest.mark.only_in("blocking", ...)` if what it is about
exists in some worlds only (threads that share a session, for instance).
"""

import asyncio
import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["WORLDS", "warm_up", "world"]


@contextlib.contextmanager
def _blocking() -> Iterator[Any]:
    from gofer.runtime.blocking import runtime

    yield runtime


@contextlib.contextmanager
def _gevent() -> Iterator[Any]:
    from gofer.runtime.gevent import runtime

    yield runtime


@contextlib.contextmanager
def _hub() -> Iterator[Any]:
    from gofer.runtime.hub import Hub

    hub = Hub()
    yield hub
    hub.close()


@contextlib.contextmanager
def _asyncio(new_loop: Any = asyncio.new_event_loop) -> Iterator[Any]:
    from gofer.runtime.asyncio import AsyncioRuntime
    from gofer.runtime.asyncio_stream import AsyncioStream

    loop = new_loop()
    abort = AsyncioStream.abort

    def abort_now(stream: AsyncioStream) -> None:
        abort(stream)
        if not (loop.is_running() or loop.is_closed()):  # called by synchronous code
            loop.run_until_complete(_settling(asyncio.sleep(0)))

    class Driven(AsyncioRuntime):
        """asyncio, with synchronous code outside its loop."""

        def run(self, coroutine: Any) -> Any:
            if loop.is_running():
                return super().run(coroutine)
            return loop.run_until_complete(_settling(coroutine))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncioStream, "abort", abort_now)
        yield Driven()
    loop.run_until_complete(_settling(asyncio.sleep(0)))
    with warnings.catch_warnings():
        # uvloop never returns if the warning of a transport that is still open is an error. The
        # test that left it open fails by itself.
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()


async def _settling(coroutine: Any) -> Any:
    """`coroutine`, and a turn of the loop after it for connections that are closed."""
    try:
        return await coroutine
    finally:
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _uvloop() -> Any:
    import uvloop

    return _asyncio(uvloop.new_event_loop)


@contextlib.contextmanager
def _trio() -> Iterator[Any]:
    import trio

    from gofer.runtime.trio import TrioRuntime

    class Driven(TrioRuntime):
        """trio, one run for each call."""

        def run(self, coroutine: Any) -> Any:
            if trio.lowlevel.in_trio_run():
                return super().run(coroutine)

            result = []

            async def main() -> None:
                result.append(await coroutine)  # trio would keep what is returned

            trio.run(main)
            return result.pop()

    yield Driven()


_MAKERS: dict[str, Any] = {
    "blocking": _blocking,
    "hub": _hub,
    "asyncio": _asyncio,
    "uvloop": _uvloop,
    "trio": _trio,
    "gevent": _gevent,
}
WORLDS = tuple(_MAKERS)


def warm_up() -> None:
    """Let every library make what it makes once for a process, before leaks are looked for."""
    import gevent
    import hypothesis  # noqa: F401  (it looks for references, and sees none once they are frozen)
    import trio
    import uvloop

    gevent.get_hub().threadpool.apply(int)
    trio.run(trio.sleep, 0)
    for new_loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        loop = new_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture(params=WORLDS, autouse=True)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The runtime of this test's world; every `gofer.Session` made in the test waits by it."""
    from gofer.sessions import Session

    with _MAKERS[request.param]() as runtime:
        monkeypatch.setattr(Session, "_runtime_", runtime)
        monkeypatch.setattr(Session, "_drive_", staticmethod(runtime.run))
        yield runtime
