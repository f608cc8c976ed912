"""The pool: who gets which connection, how many there are, and who waits for one.

Connections here are hollow: a pool asks nothing of them but whether they are clean.
"""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gofer.exceptions import PoolTimeout
from gofer.network.http1 import Http1Connection
from gofer.network.pool import Pool, PoolLimits
from gofer.network.routes import Route
from gofer.protocols.http1 import Limits
from gofer.runtime.base import Event
from gofer.runtime.blocking import BlockingRuntime, runtime

NOW = 1000.0  # monotonic seconds, as the pool is told
PATIENCE = 10.0  # seconds before a thread that hangs counts as a failure


class Hollow:
    """A stream that carries nothing."""

    def __init__(self) -> None:
        self.is_clean = True
        self.is_open = True

    def is_readable(self) -> bool:
        return not self.is_clean

    def abort(self) -> None:
        self.is_open = False


class Noticing(BlockingRuntime):
    """The blocking runtime; `stood_in_line` counts those who have begun to wait."""

    def __init__(self) -> None:
        self.stood_in_line = threading.Semaphore(0)

    def event(self) -> Event:
        return _Noticed(super().event(), self.stood_in_line)


class _Noticed:
    def __init__(self, event: Event, stood_in_line: threading.Semaphore) -> None:
        self.set = event.set
        self._event = event
        self._stood_in_line = stood_in_line

    async def wait(self, deadline: float | None) -> None:
        self._stood_in_line.release()
        await self._event.wait(deadline)


def route(name: str) -> Route:
    return Route(("http", name, 80))


A, B, C = route("a.test"), route("b.test"), route("c.test")


class Bench:
    """A pool, and the connections that were made for it."""

    def __init__(self, **limits: Any) -> None:
        self.runtime = Noticing()
        self.pool = Pool(self.runtime, PoolLimits(**limits))
        self.made: list[Http1Connection] = []

    def open(self, to: Route = A, seconds: float = 0.0) -> Http1Connection:
        """A new connection, or one that came free; `PoolTimeout` after `seconds`."""

        async def dial() -> Http1Connection:
            stream: Any = Hollow()
            connection = Http1Connection(stream, to, self.pool, runtime, Limits())
            self.made.append(connection)
            return connection

        return runtime.run(self.pool.open(to, dial, runtime.now() + seconds))

    def give(self, *connections: Http1Connection, now: float = NOW) -> None:
        for connection in connections:
            self.pool.give(connection, now)

    @property
    def open_streams(self) -> int:
        return sum(connection.stream.is_open for connection in self.made)  # type: ignore[attr-defined]


def test_the_connection_used_last_is_taken_first() -> None:
    """Surplus connections grow old that way, and go."""
    bench = Bench()
    one, two = bench.open(), bench.open()
    bench.give(one, two)

    assert [two, one, None] == [bench.pool.take(A, NOW) for _ in range(3)]


def test_routes_do_not_share() -> None:
    """An equal route is the same one, another is not."""
    bench = Bench()
    connection = bench.open(A)
    bench.give(connection)

    assert bench.pool.take(B, NOW) is None
    assert bench.pool.take(route("a.test"), NOW) is connection


def test_a_connection_that_is_not_clean_is_not_taken() -> None:
    """The peer closed it or spoke out of turn: it is closed, and the next is looked at."""
    bench = Bench()
    clean, unclean = bench.open(), bench.open()
    bench.give(clean, unclean)
    unclean.stream.is_clean = False  # type: ignore[attr-defined]

    assert bench.pool.take(A, NOW) is clean
    assert "while it was idle" in (unclean.closing or "")
    assert (0, 1, 0) == bench.pool.counts


@pytest.mark.parametrize(("age", "is_taken"), [(59.9, True), (60.0, True), (60.1, False)])
def test_a_connection_that_idled_too_long_is_not_taken(age: float, is_taken: bool) -> None:
    """It is as old as `idle_seconds` at most."""
    bench = Bench(idle_seconds=60.0)
    connection = bench.open()
    bench.give(connection, now=NOW)

    assert (connection if is_taken else None) is bench.pool.take(A, NOW + age)
    assert is_taken is (connection.closing is None)


def test_no_age_is_too_old_without_a_limit() -> None:
    """`idle_seconds` None."""
    bench = Bench(idle_seconds=None)
    connection = bench.open()
    bench.give(connection)

    assert connection is bench.pool.take(A, NOW + 1e9)


def test_so_many_idle_connections_are_kept_for_a_route() -> None:
    """Of those over `idle_per_host` the oldest goes."""
    bench = Bench(idle_per_host=2)
    one, two, three = [bench.open() for _ in range(3)]
    bench.give(one, two, three)

    assert (2, 0, 0) == bench.pool.counts
    assert "full" in (one.closing or "")
    assert [three, two, None] == [bench.pool.take(A, NOW) for _ in range(3)]


def test_so_many_routes_keep_idle_connections() -> None:
    """Those of the route used longest ago go."""
    bench = Bench(hosts=2)
    a, b, c = bench.open(A), bench.open(B), bench.open(C)
    bench.give(a, b, c)

    assert bench.pool.take(A, NOW) is None
    assert (b, c) == (bench.pool.take(B, NOW), bench.pool.take(C, NOW))


def test_a_busy_route_is_not_forgotten() -> None:
    """Routes over `hosts` lose what idles, not what is in use."""
    bench = Bench(hosts=1)
    busy = bench.open(A)
    bench.give(bench.open(B))
    bench.give(busy)

    assert (1, 0, 0) == bench.pool.counts
    assert busy is bench.pool.take(A, NOW)


# Limits on what is open ---------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{"open_per_host": 2}, {"open_in_all": 2}])
def test_so_many_are_open(limits: dict[str, int]) -> None:
    """One more waits, and gives up when its time has come."""
    bench = Bench(**limits)
    one, _ = bench.open(), bench.open()
    with pytest.raises(PoolTimeout, match=r"a\.test.*max_connections"):
        bench.open()
    assert (0, 2, 0) == bench.pool.counts

    one.close("done")
    bench.open()
    assert (0, 2, 0) == bench.pool.counts


def test_the_limit_of_a_host_leaves_others_alone() -> None:
    """`open_per_host` counts each route by itself."""
    bench = Bench(open_per_host=1)
    bench.open(A)
    bench.open(B)

    assert (0, 2, 0) == bench.pool.counts


def test_the_limit_in_all_takes_the_place_of_an_idle_one() -> None:
    """Where nothing else is free, an idle connection of another route gives way."""
    bench = Bench(open_in_all=2)
    idle = bench.open(A)
    bench.open(B)
    bench.give(idle)
    bench.open(C)

    assert "full" in (idle.closing or "")
    assert (0, 2, 0) == bench.pool.counts
    assert 2 == bench.open_streams


def test_a_failed_dial_gives_its_place_back() -> None:
    """Whatever the error."""
    bench = Bench(open_per_host=1)

    async def dial() -> Http1Connection:
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            runtime.run(bench.pool.open(A, dial, None))

    assert (0, 0, 0) == bench.pool.counts
    bench.open()


class Waiting:
    """Threads in line, each started when the one before it stands there."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.served: list[tuple[int, Http1Connection]] = []
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()

    def add(self, number: int, to: Route = A) -> None:
        thread = threading.Thread(target=self._wait, args=(number, to))
        self._threads.append(thread)
        thread.start()
        assert self.bench.runtime.stood_in_line.acquire(timeout=PATIENCE)

    def _wait(self, number: int, to: Route) -> None:
        connection = self.bench.open(to, seconds=PATIENCE)
        with self._changed:
            self.served.append((number, connection))
            self._changed.notify_all()

    def until_served(self, count: int) -> list[tuple[int, Http1Connection]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.served) == count, PATIENCE)
        return self.served

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def limited() -> Iterator[tuple[Bench, Waiting]]:
    """One connection per route and two in all, and a line for them."""
    bench = Bench(open_per_host=1, open_in_all=2)
    waiting = Waiting(bench)
    yield bench, waiting
    waiting.join()
    for connection in bench.made:
        connection.close("the test is over")


def test_waiters_are_served_in_order(limited: tuple[Bench, Waiting]) -> None:
    """A connection that is given back goes to the first in line, the same connection."""
    bench, waiting = limited
    connection = bench.open()
    for number in range(3):
        waiting.add(number)
    for count in range(1, 4):
        bench.give(connection)
        waiting.until_served(count)

    assert [(0, connection), (1, connection), (2, connection)] == waiting.served
    assert (0, 1, 0) == bench.pool.counts
    assert 1 == len(bench.made)


def test_a_closed_connection_makes_room_for_the_first_in_line(
    limited: tuple[Bench, Waiting],
) -> None:
    """It makes a connection of its own."""
    bench, waiting = limited
    connection = bench.open()
    waiting.add(0)
    connection.close("done")
    ((_, made),) = waiting.until_served(1)

    assert made is not connection
    assert (0, 1, 0) == bench.pool.counts


def test_a_connection_gives_way_to_who_waits_for_another_route(
    limited: tuple[Bench, Waiting],
) -> None:
    """Only the limit in all holds it back, so the place counts, not the connection."""
    bench, waiting = limited
    a, _ = bench.open(A), bench.open(B)
    waiting.add(0, C)
    bench.give(a)
    ((_, made),) = waiting.until_served(1)

    assert a.closing is not None
    assert made.route is C
    assert (0, 2, 0) == bench.pool.counts


def test_who_gives_up_does_not_take_a_place_along(limited: tuple[Bench, Waiting]) -> None:
    """The next in line is served as if there had been nobody before it."""
    bench, waiting = limited
    connection = bench.open()
    with pytest.raises(PoolTimeout):
        bench.open(seconds=0.0)
    bench.runtime.stood_in_line.acquire()
    waiting.add(1)
    bench.give(connection)

    assert [(1, connection)] == waiting.until_served(1)
    assert (0, 1, 0) == bench.pool.counts


def test_who_gives_up_is_forgotten() -> None:
    """A route that stays busy does not gather those who waited for it in vain."""
    bench = Bench(open_per_host=2, open_in_all=1)
    bench.open(A)
    for _ in range(3):
        with pytest.raises(PoolTimeout):
            bench.open(B)

    assert 0 == len(bench.pool._hosts[B].waiters) == len(bench.pool._waiters)


def test_many_threads_never_pass_the_limits() -> None:
    """Eight threads on two routes, three connections: each gets its turn, nothing is lost."""
    bench = Bench(open_per_host=2, open_in_all=3)
    most = 0
    failures: list[BaseException] = []

    def work(number: int) -> None:
        nonlocal most
        try:
            for turn in range(200):
                to = (A, B)[(number + turn) % 2]
                connection = bench.pool.take(to, NOW) or bench.open(to, seconds=PATIENCE)
                most = max(most, bench.open_streams)
                if turn % 7 == 0:
                    connection.close("broken")
                else:
                    bench.give(connection)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert [] == failures
    assert most <= 3
    idle, in_use, waiting = bench.pool.counts
    assert (0, 0) == (in_use, waiting)
    assert idle == bench.open_streams


# Its end ------------------------------------------------------------------------------------------


def test_close_closes_what_idles_and_later_what_is_in_use() -> None:
    """Connections in use are closed when they come back; new ones are kept again."""
    bench = Bench()
    idle, in_use = bench.open(), bench.open()
    bench.give(idle)
    bench.pool.close()
    assert (0, 1, 0) == bench.pool.counts
    bench.give(in_use)
    assert (0, 0, 0) == bench.pool.counts
    assert 0 == bench.open_streams

    bench.give(bench.open())
    assert (1, 0, 0) == bench.pool.counts


def test_a_pool_is_abandoned_under_its_own_lock() -> None:
    """The collector may run anywhere, also where this thread holds the lock."""
    bench = Bench()
    idle, in_use = bench.open(), bench.open()
    bench.give(idle)
    with bench.pool._lock:
        bench.pool.abandon()
    assert 1 == bench.open_streams

    bench.give(in_use)
    assert 0 == bench.open_streams


def test_a_connection_is_closed_under_the_pools_own_lock() -> None:
    """By the collector, which may run anywhere: the place is free when the lock is let go."""
    bench = Bench(open_per_host=2)
    one, two = bench.open(), bench.open()
    with bench.pool._lock:
        one.close("dropped")
        two.close("dropped")

    assert (0, 0, 0) == bench.pool.counts
    bench.open()
    bench.open()


def test_a_forked_child_forgets_the_parents_connections() -> None:
    """They are closed here and not spoken on; what comes back late is closed too."""
    bench = Bench(open_per_host=2)
    idle, in_use = bench.open(), bench.open()
    bench.give(idle)
    bench.pool.forget()

    assert (0, 0, 0) == bench.pool.counts
    assert bench.pool.take(A, NOW) is None
    bench.give(in_use)
    assert (0, 0, 0) == bench.pool.counts
    assert 0 == bench.open_streams


def test_repr() -> None:
    """It says what a debugger wants to know."""
    bench = Bench()
    bench.give(bench.open())
    bench.open(B)

    assert "<Pool 1 idle, 1 in use, 0 waiting>" == repr(bench.pool)
