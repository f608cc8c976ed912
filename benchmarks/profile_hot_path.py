"""Where a keep-alive GET of gofer's spends its time, file by file and function by function.

    profile_hot_path.py [SECONDS] [--tls|--http2] [--lines FUNCTION] [--client NAME]

A profiler that counts calls (cProfile) doubles the price of small functions. This one looks now
and then instead: a timer interrupts the loop every half millisecond or so, and what runs then gets
the sample. Ten seconds are some 20,000 samples, good to tenths of a microsecond. Time inside C,
the kernel included, counts for the Python function that called it.
"""

import argparse
import dis
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from types import CodeType, FrameType
from typing import Any

from client import load
from environments import SERVER_CPU, SOURCE
from server import DOCUMENT, Server, document_over
from tables import Table, figure

INTERVAL = 0.0005  # seconds on average; drawn anew each time, so as not to march with the loop
TURNS, TURN = 30, 300  # of each client, requests of a turn
SHOWN = 30  # functions


class Sampler:
    """Counts which functions, and which lines of them, a timer finds at work."""

    def __init__(self) -> None:
        self.samples = 0
        self.own: Counter[CodeType] = Counter()
        self.inclusive: Counter[CodeType] = Counter()  # with everything that was called
        self.lines: Counter[tuple[CodeType, int]] = Counter()

    def run(self, work: Callable[[], Any], seconds: float) -> None:
        """Repeat `work` for so long, looking at it."""
        signal.signal(signal.SIGALRM, self._take)
        end = perf_counter() + seconds
        self._arm()
        while perf_counter() < end:
            for _ in range(100):
                work()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _arm(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.5, 1.5) * INTERVAL)

    def _take(self, _: int, frame: FrameType | None) -> None:
        # Python handles a signal at the next call or jump. At the very start of a function it
        # came before: the caller was at work.
        if frame is not None and frame.f_lasti <= _start(frame.f_code):
            frame = frame.f_back
        if frame is not None:
            self.samples += 1
            self.own[frame.f_code] += 1
            self.lines[frame.f_code, frame.f_lineno] += 1
            running = set()
            while frame is not None:
                running.add(frame.f_code)
                frame = frame.f_back
            self.inclusive.update(running)
        self._arm()


@lru_cache(None)
def _start(code: CodeType) -> int:
    """The instruction where a call of `code` first looks for signals."""
    starts = (step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")
    return next(starts, -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=10.0)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--http2", action="store_true", help="over TLS; raw stays on HTTP/1.1")
    parser.add_argument("--lines", metavar="FUNCTION", help="the lines of this function too")
    parser.add_argument("--client", default="gofer", help="another one whose work is Python")
    options = parser.parse_args()
    sampler = Sampler()
    with Server() as server:
        # On the server's processor nothing sleeps: wall time is work, of both.
        if SERVER_CPU is not None:
            os.sched_setaffinity(0, {SERVER_CPU})
        url, trust = server.small(tls=options.tls)
        raw, close_raw = load("raw").connect(url, trust)
        document = DOCUMENT
        if options.http2:
            url, trust = f"{server.http2}/spoken", server.trust
            document = document_over("HTTP/2.0")
        fetch, close = load(options.client).connect(url, trust)
        assert raw() == DOCUMENT
        assert fetch() == document
        wall = _compare({"raw": raw, options.client: fetch})[options.client]
        sampler.run(fetch, options.seconds)
        close()
        close_raw()
    for table in (_files(sampler, wall), _functions(sampler, wall)):
        print("\n" + table.text())
    if options.lines:
        print("\n" + _lines(sampler, wall, options.lines).text())


def _compare(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Print what a request of each takes, in turn; the wall µs of each."""
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(TURNS):
        for name, work in works.items():
            wall, cpu = perf_counter(), process_time()
            for _ in range(TURN):
                work()
            costs[name].append((perf_counter() - wall, process_time() - cpu))
    walls = {}
    for name, pairs in costs.items():
        walls[name] = median(wall for wall, _ in pairs) / TURN * 1e6
        cpu = median(cpu for _, cpu in pairs) / TURN * 1e6
        print(f"{name:10s} {walls[name]:7.1f} µs wall {cpu:7.1f} µs CPU a request")
    return walls


def _files(sampler: Sampler, wall: float) -> Table:
    """Own time by file."""
    files: Counter[str] = Counter()
    for code, count in sampler.own.items():
        files[_file(code)] += count
    rows = [
        [name, figure(count / sampler.samples * wall, 2)]
        for name, count in files.most_common(SHOWN)
    ]
    return Table("files", f"By file ({sampler.samples:,} samples)", ["file", "own µs"], rows)


def _functions(sampler: Sampler, wall: float) -> Table:
    rows = []
    for code, count in sampler.own.most_common(SHOWN):
        own, inclusive = (n / sampler.samples * wall for n in (count, sampler.inclusive[code]))
        name = f"{_file(code)}:{code.co_firstlineno} {code.co_qualname}"
        rows.append([name, figure(own, 2), figure(inclusive, 2)])
    return Table("functions", "By function", ["function", "own µs", "with callees µs"], rows)


def _lines(sampler: Sampler, wall: float, function: str) -> Table:
    rows = []
    for (code, number), count in sorted(sampler.lines.items(), key=lambda item: item[0][1]):
        if function in (code.co_name, code.co_qualname):
            text = Path(code.co_filename).read_text().splitlines()[number - 1].strip()
            own = count / sampler.samples * wall
            rows.append([f"{_file(code)}:{number} {text}", figure(own, 2)])
    return Table("lines", f"Lines of {function}", ["line", "own µs"], rows)


def _file(code: CodeType) -> str:
    path = Path(code.co_filename)
    if path.is_relative_to(SOURCE):
        return str(path.relative_to(SOURCE))
    return "/".join(path.parts[-2:])


if __name__ == "__main__":
    main()
