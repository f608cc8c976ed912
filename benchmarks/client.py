"""One client in a process of its own: takes orders on stdin, answers with what they cost.

    client.py NAME URL [TRUST]        TRUST: a PEM file, the only CA to trust

`clients/NAME.py` has `connect(url, trust)`, which gives `(fetch, close)`: each `fetch()` is one
GET of `url` and returns the JSON it brought; `close()` ends the session. An asynchronous client's
`connect`, `fetch` and `close` are coroutine functions. A file may have more, for large content:
`download(url)`, `upload(url, path)`, `stream_down(url)` and `stream_up(url, size)`, each giving
the number of bytes that went over.

Orders are lines, answers are lines of JSON:

    run N            N requests on a warm connection
    fresh N          N times: a new session, one request, close
    many SIZE N      N requests, SIZE of them at a time
    call NAME ARG…   one of the file's functions for large content, once
    quit

For `many` a blocking client's file has `connect_many(url, trust, size)`, which gives
`(run, close)`: `run(n)` makes n requests and decodes what they bring. Asynchronous ones need none.
NAME may end in "+uvloop".
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

WARM = 5  # requests that do not count, so that caches cold from the other clients' turn are warm


class Blocking:
    """How to drive a client whose `fetch` is a plain function."""

    def __init__(self, module: Any, url: str, trust: str | None, loop: str) -> None:
        assert not loop
        self.connect = partial(module.connect, url, trust)
        self.connect_many = partial(getattr(module, "connect_many", None) or _cannot, url, trust)
        self.runs: dict[int, tuple[Callable[[int], None], Callable[[], None]]] = {}
        self.fetch, self.close = self.connect()

    def first(self) -> Any:
        return self.fetch()

    def run(self, count: int) -> tuple[float, float]:
        fetch = self.fetch
        for _ in range(WARM):
            fetch()
        wall, cpu = perf_counter(), process_time()
        for _ in range(count):
            fetch()
        return perf_counter() - wall, process_time() - cpu

    def fresh(self, count: int) -> tuple[float, float]:
        wall, cpu = perf_counter(), process_time()
        for _ in range(count):
            fetch, close = self.connect()
            fetch()
            close()
        return perf_counter() - wall, process_time() - cpu

    def many(self, size: int, count: int) -> tuple[float, float]:
        if size not in self.runs:
            self.runs[size] = self.connect_many(size)
        run, _ = self.runs[size]
        wall, cpu = perf_counter(), process_time()
        run(count)
        return perf_counter() - wall, process_time() - cpu

    def end(self) -> None:
        self.close()
        for _, close in self.runs.values():
            close()


class Asynchronous:
    """The same for coroutine functions: the loop stays, and a run is one coroutine."""

    def __init__(self, module: Any, url: str, trust: str | None, loop: str) -> None:
        import asyncio  # here alone, for its memory would count for every client

        self.loop = importlib.import_module(loop or "asyncio").new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.gather = asyncio.gather
        self.connect = partial(module.connect, url, trust)
        self.fetch, self.close = self.loop.run_until_complete(self.connect())

    def first(self) -> Any:
        return self.loop.run_until_complete(self.fetch())

    def run(self, count: int) -> tuple[float, float]:
        return self.loop.run_until_complete(self._run(count))

    def fresh(self, count: int) -> tuple[float, float]:
        return self.loop.run_until_complete(self._fresh(count))

    def many(self, size: int, count: int) -> tuple[float, float]:
        return self.loop.run_until_complete(self._many(size, count))

    def end(self) -> None:
        self.loop.run_until_complete(self.close())
        self.loop.close()

    async def _run(self, count: int) -> tuple[float, float]:
        fetch = self.fetch
        for _ in range(WARM):
            await fetch()
        wall, cpu = perf_counter(), process_time()
        for _ in range(count):
            await fetch()
        return perf_counter() - wall, process_time() - cpu

    async def _fresh(self, count: int) -> tuple[float, float]:
        wall, cpu = perf_counter(), process_time()
        for _ in range(count):
            fetch, close = await self.connect()
            await fetch()
            await close()
        return perf_counter() - wall, process_time() - cpu

    async def _many(self, size: int, count: int) -> tuple[float, float]:
        fetch = self.fetch
        todo = iter(range(count))

        async def work() -> None:
            for _ in todo:
                await fetch()

        wall, cpu = perf_counter(), process_time()
        await self.gather(*[work() for _ in range(size)])
        return perf_counter() - wall, process_time() - cpu


def _cannot(*_: object) -> Any:
    raise NotImplementedError("this client's file has no connect_many")


def load(name: str) -> Any:
    """The client's file as a module, under a name that hides no package of the same name."""
    path = Path(__file__).parent / "clients" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"client_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def memory(row: str) -> int:
    """Bytes of this process as the kernel counts them: VmRSS is now, VmHWM the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{row}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(row)


def forget_peak() -> None:
    """Let VmHWM start again from what is in use now."""
    Path("/proc/self/clear_refs").write_text("5")


def call(function: Callable[..., int], arguments: list[str]) -> dict[str, float]:
    """One call's cost, and its peak of memory above what was in use before."""
    forget_peak()
    before = memory("VmRSS")
    wall, cpu = perf_counter(), process_time()
    size = function(*arguments)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return {"wall": wall, "cpu": cpu, "size": size, "above": memory("VmHWM") - before}


def answer(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def main(name: str, url: str, trust: str | None = None) -> None:
    name, _, loop = name.partition("+")
    module = load(name)
    is_coroutine_function = module.connect.__code__.co_flags & 0x80  # as `inspect` has it
    kind = Asynchronous if is_coroutine_function else Blocking
    client = kind(module, url, trust, loop)
    answer({"document": client.first(), "calls": dir(module)})
    for line in sys.stdin:
        order, *arguments = line.split()
        if order == "quit":
            break
        if order == "call":
            function, *arguments = arguments
            answer(call(getattr(module, function), arguments))
            continue
        *size, count = map(int, arguments)
        wall, cpu = getattr(client, order)(*size, count)
        answer({"wall": wall / count, "cpu": cpu / count, "peak": memory("VmHWM")})
    client.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
