"""The hub: gofer's own bulk engine. One thread, one poll, coroutines resumed from readiness.

Two things make it fast. The read interest of a kept connection stays registered, so a request
costs no system call but its own send and receive; and what one turn has to send is sent together
at its end, so that a batch of answers is handled first and the peer is woken once.

A task is resumed by whatever it waits for: a stream (`hub_stream.py`), an event, a time. State: the
tasks, what is ready to go on, what has bytes to send, and the timers. A hub belongs to the thread
that turns it; events may be set from any.
"""

import contextlib
import select
import selectors
import socket
from _thread import get_ident
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from heapq import heapify, heappop, heappush
from time import monotonic
from typing import Any, Protocol, TypeVar

from gofer.runtime import names
from gofer.runtime.base import Event, Interrupted, TimedOut
from gofer.runtime.connecting import connect_datagrams, connect_first, connect_unix
from gofer.runtime.names import Address
from gofer.runtime.sockets import LONGEST_POLL, READABLE, WRITABLE
from gofer.runtime.threads import NEEDS_LOOP, at_once, in_thread

__all__ = ["PAUSE", "Hub", "SelectorPoll", "Task"]

T = TypeVar("T")

SPARE_TIMERS = 1000  # of streams that are gone, before the heap is tidied


class _Pause:
    """What a leaf awaits when it has arranged for its task to be resumed.

    It yields itself: by that the hub knows its own from what waits for another loop.
    """

    __slots__ = ()

    def __await__(self) -> Any:
        yield self


PAUSE = _Pause()


class Task:
    """A coroutine on a hub.

    Attributes:
        done: it has ended; `value` is what it returned, or `error` what it raised.
    """

    __slots__ = ("coroutine", "done", "error", "hub", "value")

    def __init__(self, hub: "Hub", coroutine: Coroutine[Any, Any, Any]) -> None:
        self.hub = hub
        self.coroutine = coroutine
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def cancel(self) -> None:
        """End it where it waits: its `finally` blocks run now."""
        if not self.done:
            self.done = True
            self.hub._tasks.discard(self)
            self.coroutine.close()

    def interrupt(self) -> bool:
        """Take its place, if it cannot go on while a task waits inside `run`.

        True if `Interrupted` has been raised where it waits. What made it ready is not lost: it
        finds out again when it waits again.
        """
        hub = self.hub
        if hub._only is None or hub._only is self or self.done:
            return False
        for entry in [entry for entry in hub._ready if entry[0] is self]:
            hub._ready.remove(entry)
        hub._step(self, Interrupted())
        return True

    def __repr__(self) -> str:
        return f"<Task {self.coroutine!r}, {'done' if self.done else 'under way'}>"


class Timed(Protocol):
    """What a timer calls when its time has come."""

    def on_time(self, now: float, /) -> None: ...


class Waiter:
    """A task that waits for the first of several things to resume it."""

    __slots__ = ("is_over", "task", "why")

    def __init__(self, task: Task) -> None:
        self.task: Task | None = task
        self.is_over = False
        self.why: Any = None

    def wake(self, why: Any = None, error: BaseException | None = None) -> None:
        if not self.is_over and self.task is not None:
            self.is_over = True
            self.why = why
            self.task.hub._ready.append((self.task, error))

    def on_time(self, _now: float) -> None:
        self.wake(error=TimedOut())


class Hub:
    """A runtime of many tasks in one thread; see `runtime.base`."""

    name = "hub"
    is_interruptible = False
    now = staticmethod(monotonic)

    def __init__(self) -> None:
        self._poll: Any = None
        self._targets: dict[int, Callable[[int], None]] = {}  # by descriptor: who hears of it
        self._tasks: set[Task] = set()
        self._ready: deque[tuple[Task, BaseException | None]] = deque()
        self._unsent: list[Any] = []  # what has something to send at the end of the turn
        self._timers: list[tuple[float, int, Timed]] = []  # a heap
        self._serial = 0
        self.current: Task | None = None
        self._only: Task | None = None  # while `run` waits inside a task, no other task goes on
        self._is_turning = False
        self._thread = 0  # that turns
        self._has_news = False  # a task ended in this turn: the caller of `turn` should look
        self._wake_up: _WakeUp | None = None

    # Tasks ----------------------------------------------------------------------------------------

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Run `coroutine` from the next turn on, or from this one if it is not over."""
        task = Task(self, coroutine)
        self._tasks.add(task)
        self._ready.append((task, None))
        return task

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Drive one coroutine to its end, and the other tasks beside it.

        Inside a task (a hook that looks at a response's content) only this coroutine goes on
        meanwhile.
        """
        task = Task(self, coroutine)
        self._tasks.add(task)
        outer = self._only
        is_inside = self.current is not None
        if is_inside:
            self._only = task
        try:
            self._step(task, None)
            while not task.done:
                if is_inside:
                    self._turn(None)
                else:
                    self.turn()
        except BaseException:
            task.cancel()
            raise
        finally:
            self._only = outer
        if task.error is not None:
            raise task.error
        return task.value  # type: ignore[no-any-return]

    def turn(self, until: float | None = None) -> None:
        """Resume every task that can go on; if none can, wait until one can.

        Args:
            until: monotonic seconds; the wait ends then at the latest.
        """
        if self._is_turning:
            raise RuntimeError("the hub is turning already; a task cannot turn it")
        self._is_turning = True
        self._thread = get_ident()
        try:
            self._turn(until)
        finally:
            self._is_turning = False
            self._thread = 0

    def close(self) -> None:
        """End all tasks where they are. Streams that are open stay usable for `run`."""
        for task in list(self._tasks):
            task.cancel()
        self._ready.clear()
        self._timers.clear()
        for target in list(self._targets.values()):
            target(0)  # no longer registered
        self._targets.clear()
        if self._poll is not None:
            self._poll.close()
            self._poll = None
        if self._wake_up is not None:
            self._wake_up.close()
            self._wake_up = None

    def __del__(self) -> None:
        if self._wake_up is not None:
            self._wake_up.close()

    # One turn -------------------------------------------------------------------------------------

    def _turn(self, until: float | None) -> None:
        self._has_news = False
        self._go_on()
        self._flush()
        for descriptor, events in self._wait(until):
            target = self._targets.get(descriptor)
            if target is not None:
                target(events)
        # Time is up only for what has not happened: what has come is looked at first.
        if self._timers:
            self._ring()
        self._go_on()
        self._flush()

    def _go_on(self) -> None:
        ready = self._ready
        if self._only is not None:  # the others keep their place in line
            for entry in [entry for entry in ready if entry[0] is self._only]:
                ready.remove(entry)
                self._step(*entry)
            return
        while ready:
            task, error = ready.popleft()
            self._step(task, error)

    def resume(self, task: Task) -> None:
        """Let `task`, which waits, go on at once."""
        if self._only is None or self._only is task:
            self._step(task, None)
        else:
            self._ready.append((task, None))

    def _step(self, task: Task, error: BaseException | None) -> None:
        if task.done:
            return
        outer = self.current  # not None if `run` waits inside a task
        self.current = task
        try:
            if error is None:
                waits_for = task.coroutine.send(None)
            else:
                waits_for = task.coroutine.throw(error)
            if waits_for is not PAUSE:
                self._refuse(task)
        except StopIteration as stop:
            task.value = stop.value
        except BaseException as failure:
            task.error = failure
            if not isinstance(failure, Exception):  # Ctrl-C is not the task's own affair
                task.done = True
                self._tasks.discard(task)
                raise
        else:
            return
        finally:
            self.current = outer
        task.done = self._has_news = True
        self._tasks.discard(task)

    def _refuse(self, task: Task) -> None:
        """Tell `task`, which waits for something that is not ours, that nobody will resume it."""
        problem = RuntimeError(f"something async suspended under the hub: {NEEDS_LOOP}")
        if task.coroutine.throw(problem) is not PAUSE:
            raise problem  # it does not listen

    def _flush(self) -> None:
        unsent = self._unsent
        if unsent:
            self._unsent = []
            for sender in unsent:
                sender.flush()

    def _wait(self, until: float | None) -> list[tuple[int, int]]:
        """The descriptors that are ready; none if `until` or a timer came first."""
        if self._timers and (until is None or self._timers[0][0] < until):
            until = self._timers[0][0]
        seconds = LONGEST_POLL
        if self._has_news or (self._ready and self._only is None):
            seconds = 0.0
        elif until is not None:
            seconds = min(max(0.0, until - monotonic()), LONGEST_POLL)
        poll = self._poll or self._open_poll()
        return poll.poll(seconds)  # type: ignore[no-any-return]

    # Descriptors ----------------------------------------------------------------------------------

    def _open_poll(self) -> Any:
        self._poll = (
            select.epoll()
            if hasattr(select, "epoll")
            else SelectorPoll(selectors.DefaultSelector())
        )
        return self._poll

    def register(self, descriptor: int, events: int, target: Callable[[int], None]) -> None:
        """Tell `target` of `events` on `descriptor`, and of errors; of 0 when the hub closes."""
        (self._poll or self._open_poll()).register(descriptor, events)
        self._targets[descriptor] = target

    def modify(self, descriptor: int, events: int) -> None:
        self._poll.modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        if self._targets.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    # Time -----------------------------------------------------------------------------------------

    def at(self, when: float, timed: Timed) -> None:
        """Tell `timed` when the time has come. Timers are not taken back: it may not care then."""
        timers = self._timers
        if len(timers) > SPARE_TIMERS and len(timers) > SPARE_TIMERS + 4 * len(self._targets):
            self._timers = timers = [t for t in timers if not getattr(t[2], "is_over", False)]
            heapify(timers)
        self._serial = serial = self._serial + 1
        heappush(timers, (when, serial, timed))

    def _ring(self) -> None:
        timers = self._timers
        now = monotonic()
        while timers and timers[0][0] <= now:
            heappop(timers)[2].on_time(now)

    # The leaves -----------------------------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        """Sleep; not at all if `seconds` is not positive."""
        if seconds > 0:
            waiter = Waiter(self._task())
            self.at(monotonic() + seconds, _Alarm(waiter))
            await self._paused(waiter)

    def event(self) -> Event:
        """Something that one task waits for and another, or another thread, sets."""
        return _Event(self)

    async def resolve(self, host: str, port: int, deadline: float | None) -> list[Address]:
        """The (family, sockaddr) pairs of `host`; see `names.resolve`."""
        return await names.resolve(host, port, deadline, self.event)

    async def in_thread(self, work: Callable[[], T], deadline: float | None) -> T:
        """What `work` returns; see `threads.in_thread`."""
        return await in_thread(work, self.event, deadline)

    async def until(self, awaitable: Awaitable[T], _deadline: float | None) -> T:
        """What `awaitable` gives, if it waits for nothing; see `threads.at_once`."""
        return at_once(awaitable)

    async def connect(
        self, addresses: list[Address], deadline: float | None, **options: Any
    ) -> Any:
        """A TCP stream to the first of `addresses` that answers; see `connect_first`."""
        from gofer.runtime.hub_stream import HubStream

        return HubStream(
            await connect_first(addresses, deadline, self._wait_writable, **options), self
        )

    async def connect_unix(self, path: str, deadline: float | None) -> Any:
        """A stream to the unix socket at `path`; see `connecting.connect_unix`."""
        from gofer.runtime.hub_stream import HubStream

        return HubStream(await connect_unix(path, deadline, self.sleep), self)

    async def connect_datagrams(self, address: Address, **options: Any) -> Any:
        """Datagrams to and from `address`; see `connecting.connect_datagrams`."""
        from gofer.runtime.hub_stream import HubDatagrams

        return HubDatagrams(connect_datagrams(address, **options), self)

    async def _wait_writable(self, descriptors: list[int], until: float | None) -> list[int]:
        waiter = Waiter(self._task())
        for descriptor in descriptors:
            self.register(descriptor, WRITABLE, _Telling(waiter, descriptor))
        if until is not None:
            self.at(until, _Alarm(waiter))
        try:
            await self._paused(waiter)
        finally:
            for descriptor in descriptors:
                self.unregister(descriptor)
        return [] if waiter.why is None else [waiter.why]

    async def _paused(self, waiter: Waiter) -> None:
        """Return when `waiter` is woken; it is over however this ends."""
        try:
            await PAUSE
        finally:
            waiter.is_over = True
            waiter.task = None  # timers keep waiters, and must not keep what came of their tasks

    def _task(self) -> Task:
        if self.current is None:
            raise RuntimeError("a leaf of the hub was awaited outside the hub")
        return self.current

    def wake_from_anywhere(self) -> None:
        """End the wait of the thread that turns; something is ready."""
        if self._thread == get_ident() and self._only is None:
            return  # it does not wait, and looks at what is ready before it does
        if self._wake_up is not None:
            self._wake_up.ring()

    def can_be_woken(self) -> None:
        """From now on other threads may end a wait."""
        if self._wake_up is None:
            self._wake_up = _WakeUp()
            self.register(self._wake_up.descriptor, READABLE, self._wake_up.on_events)

    def __repr__(self) -> str:
        return f"<Hub {len(self._tasks)} tasks, {len(self._targets)} descriptors>"


class _Alarm:
    """Wakes a waiter when its time has come, without an error."""

    __slots__ = ("_waiter",)

    def __init__(self, waiter: Waiter) -> None:
        self._waiter = waiter

    @property
    def is_over(self) -> bool:
        return self._waiter.is_over

    def on_time(self, _now: float) -> None:
        self._waiter.wake()


class _Telling:
    """Wakes a waiter with the descriptor that something happened to."""

    __slots__ = ("_descriptor", "_waiter")

    def __init__(self, waiter: Waiter, descriptor: int) -> None:
        self._waiter = waiter
        self._descriptor = descriptor

    def __call__(self, events: int) -> None:
        if events:
            self._waiter.wake(self._descriptor)


class _Event:
    """Set once, by anybody, from any thread.

    It has no lock, for there is one a wait where connections are shared. Whoever takes a waiter out
    of the list has it: who sets and then wakes it, or who waits and has seen that there is no need.
    """

    __slots__ = ("_hub", "_is_set", "_waiters")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._is_set = False
        self._waiters: list[Waiter] = []

    def set(self) -> None:
        self._is_set = True
        waiters = self._waiters
        if waiters:
            try:  # `suppress` would take three times as long
                while waiters:
                    waiters.pop(0).wake()
            except IndexError:
                pass  # another thread sets it too
            self._hub.wake_from_anywhere()

    async def wait(self, deadline: float | None) -> None:
        """Return when set. Raises `TimedOut`."""
        hub = self._hub
        if hub._wake_up is None:
            hub.can_be_woken()
        if self._is_set:
            return
        if deadline is not None and monotonic() >= deadline:
            raise TimedOut
        waiter = Waiter(hub._task())
        self._waiters.append(waiter)
        if self._is_set:  # since we looked
            try:  # type: ignore[unreachable]
                self._waiters.remove(waiter)
                return
            except ValueError:
                pass  # and we are being woken
        if deadline is not None:
            hub.at(deadline, waiter)
        await hub._paused(waiter)


class _WakeUp:
    """A pair of sockets: a byte on one ends a wait on the other."""

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)
        self.descriptor = self._here.fileno()

    def ring(self) -> None:
        # The pipe is full, so the hub will wake up anyway; or it is closed, with the hub.
        with contextlib.suppress(OSError):
            self._there.send(b"!")

    def on_events(self, _events: int) -> None:
        with contextlib.suppress(OSError):  # that was all
            while self._here.recv(1024):
                pass

    def close(self) -> None:
        self._here.close()
        self._there.close()


class SelectorPoll:
    """What a hub needs of `select.epoll`, where there is none."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector

    def register(self, descriptor: int, events: int) -> None:
        self._selector.register(descriptor, self._translate(events))

    def modify(self, descriptor: int, events: int) -> None:
        self._selector.modify(descriptor, self._translate(events))

    def unregister(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        return [
            (key.fd, events & READABLE | (WRITABLE if events & selectors.EVENT_WRITE else 0))
            for key, events in self._selector.select(seconds)
        ]

    def close(self) -> None:
        self._selector.close()

    @staticmethod
    def _translate(events: int) -> int:
        wanted = selectors.EVENT_READ if events & READABLE else 0
        return wanted | (selectors.EVENT_WRITE if events & WRITABLE else 0)
