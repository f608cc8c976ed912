"""Torture by cancelling: at the k-th suspension of an exchange, for every k there is.

The call ends as cancelled, nothing is left behind (descriptors, tasks, places in the pool), and
the session's next request is right.
"""

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
import trio
import uvloop

import gofer
from servers.certificates import Certificates
from servers.web import Web

MOST = 300  # suspensions of the longest exchange; it has to end before


class Cancelling:
    """Awaits a coroutine, and cancels at its suspension number `target`.

    Args:
        late: cancel when what it waits for has come already, before it could be taken.
    """

    def __init__(self, target: int, cancel: Callable[[], Any], *, late: bool) -> None:
        self.struck = False
        self._target = target
        self._cancel = cancel
        self._late = late

    @types.coroutine
    def run(self, coroutine: Any) -> Generator[Any, Any, Any]:
        resume, value = coroutine.send, None
        number = 0
        while True:
            try:
                waiting = resume(value)
            except StopIteration as stop:
                return stop.value
            number += 1
            if number == self._target:
                self.struck = True
                if self._late and waiting is not None:
                    waiting.add_done_callback(lambda _: self._cancel())
                else:
                    self._cancel()
            try:
                resume, value = coroutine.send, (yield waiting)
            except BaseException as error:
                resume, value = coroutine.throw, error


class Pieces:
    """Content to iterate over. Not a generator: closing the caller's is another matter."""

    size = 500_000  # bytes of each

    def __init__(self) -> None:
        self._left = 3

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return b"x" * self.size


@pytest.fixture(autouse=True)
def small_pieces(http3: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By HTTP/3 one waits for every few datagrams."""
    if http3:
        monkeypatch.setattr(Pieces, "size", 30_000)


async def iterate(session: Any, url: str) -> None:
    async with await session.get(url + "/drip/60", stream=True) as answer:
        async for _ in answer.aiter_content(20):
            pass


async def kept(session: Any, url: str) -> None:
    for _ in range(3):
        await session.get(url + "/get")


EXCHANGES: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "get": lambda s, url: s.get(url + "/get"),
    "name": lambda s, url: s.get(url.replace("127.0.0.1", "localhost") + "/get"),
    "redirects": lambda s, url: s.get(url + "/redirect/2"),
    "upload": lambda s, url: s.post(url + "/post", data=Pieces()),
    "iteration": iterate,
    "kept connection": kept,
}


async def until_done(strike: Callable[[Any, str, int], Awaitable[bool]], **options: Any) -> None:
    """One strike for each suspension, each on a session of its own."""
    for number in range(1, MOST):
        async with gofer.AsyncSession(**options) as session:
            struck = await strike(session, f"suspension {number}", number)
            assert (0, 0) == session.network.pool.counts[1:], f"suspension {number}"
        if not struck:
            assert number > 1
            return
    raise AssertionError(f"an exchange with more than {MOST} suspensions")


def torture_asyncio(run: Any, exchange: str, url: str, *, late: bool, **options: Any) -> None:
    async def strike(session: Any, where: str, number: int) -> bool:
        task: asyncio.Task[Any]
        cancelling = Cancelling(number, lambda: task.cancel(), late=late)

        async def call() -> None:
            await cancelling.run(EXCHANGES[exchange](session, url))

        task = asyncio.ensure_future(call())
        done, _ = await asyncio.wait([task], timeout=20)
        assert done, where
        assert cancelling.struck == task.cancelled(), where
        if not task.cancelled():
            task.result()
        assert {asyncio.current_task()} == asyncio.all_tasks(), where
        assert 200 == (await session.get(url + "/get")).status_code, where
        return cancelling.struck

    run(until_done(strike, **options))


def torture_trio(exchange: str, url: str, **options: Any) -> None:
    async def strike(session: Any, where: str, number: int) -> bool:
        with trio.move_on_after(20) as patience, trio.CancelScope() as scope:
            cancelling = Cancelling(number, scope.cancel, late=False)
            await cancelling.run(EXCHANGES[exchange](session, url))
        assert not patience.cancelled_caught, where
        assert 200 == (await session.get(url + "/get")).status_code, where
        return cancelling.struck

    async def main() -> None:
        await until_done(strike, **options)

    trio.run(main)


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_asyncio(web: Web, run: Any, exchange: str, late: bool) -> None:
    """On asyncio's own loop and uvloop's."""
    torture_asyncio(run, exchange, web.url, late=late)


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("exchange", ["get", "upload", "iteration"])
def test_asyncio_over_tls(
    web_tls: Web, certificates: Certificates, run: Any, exchange: str, late: bool
) -> None:
    """The same over TLS."""
    torture_asyncio(run, exchange, web_tls.url, late=late, verify=certificates.ca_file)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_trio(web: Web, exchange: str) -> None:
    """On trio."""
    torture_trio(exchange, web.url)


@pytest.mark.parametrize("exchange", ["get", "upload", "iteration"])
def test_trio_over_tls(web_tls: Web, certificates: Certificates, exchange: str) -> None:
    """The same over TLS."""
    torture_trio(exchange, web_tls.url, verify=certificates.ca_file)
