"""The connections of a session: which are idle, how many are open, who waits for one.

State: `_hosts`, one `Host` per route with open connections or waiters, least recently used first.
Taking and giving back are O(1) and, without limits, take no lock: a list's pop and append are
atomic. Everything that counts is done under `_lock`; nothing waits and no socket is touched there.

An idle connection is used again only when it is provably clean: nothing of its last response is
unread, nothing came since, and it has not idled too long. Most recently used first, so that
surplus connections grow old and go.

A connection that many exchanges share (HTTP/2, HTTP/3) stays where it is found: in `Host.shared`,
from its first exchange on; `users` counts the places taken on it. The collector may give such a
place back at any moment. As with the place of a closed connection, whoever has the lock next
counts it out.
"""

import _thread  # whose locks are those of threading, which takes 1 ms to import
import contextlib
import os
from _weakrefset import WeakSet  # as threading does; weakref takes another ms
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gofer.exceptions import PoolTimeout
from gofer.network.http1 import Http1Connection
from gofer.network.routes import Route
from gofer.protocols.streams import ResponseStream
from gofer.runtime.base import Runtime, TimedOut

if TYPE_CHECKING:
    from gofer.network.shared import SharedConnection

    Connection = Http1Connection | SharedConnection

__all__ = ["Pool", "PoolLimits"]

# Why a connection was not kept: values for the log and for whoever debugs.
IDLE_TOO_LONG = "it idled too long"
NOT_CLEAN = "the peer closed it or sent something while it was idle"
NO_ROOM = "the pool is full"
POOL_CLOSED = "the pool was closed"
INTERRUPTED = "whoever took it was interrupted"
FORKED = "it belongs to the parent process"


class PoolLimits:
    """How many connections may idle, and how many may be open.

    Args:
        hosts: routes whose idle connections are kept.
        idle_per_host: idle connections kept per route.
        idle_seconds: age after which an idle connection is closed instead of used.
        open_per_host: open connections per route; more requests wait. None: no limit.
        open_in_all: open connections altogether.
    """

    __slots__ = ("hosts", "idle_per_host", "idle_seconds", "open_in_all", "open_per_host")

    def __init__(
        self,
        hosts: int = 10,
        idle_per_host: int = 10,
        idle_seconds: float | None = 60.0,
        open_per_host: int | None = None,
        open_in_all: int | None = None,
    ) -> None:
        self.hosts = hosts
        self.idle_per_host = idle_per_host
        self.idle_seconds = float("inf") if idle_seconds is None else idle_seconds
        self.open_per_host = open_per_host
        self.open_in_all = open_in_all


class Host:
    """What the pool knows of one route."""

    __slots__ = ("idle", "is_shared", "open", "route", "shared", "waiters")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.idle: list[Http1Connection] = []  # most recently used last
        self.shared: list[SharedConnection] = []
        self.is_shared = route.may_share  # False as soon as the server has chosen HTTP/1.1
        self.open = 0  # idle, in use, and being made
        self.waiters: deque[_Waiter] = deque()


class _Waiter:
    """Somebody in line for a connection, or for the right to make one."""

    __slots__ = ("connection", "event", "granted", "host")

    def __init__(self, event: Any, host: Host) -> None:
        self.event = event
        self.host = host
        self.granted = False
        self.connection: Connection | None = None


class Pool:
    """Connections by route. Safe to share between threads; forgotten in a forked child."""

    def __init__(self, runtime: Runtime, limits: PoolLimits | None = None) -> None:
        self.runtime = runtime
        self.limits = limits or PoolLimits()
        self._lock = _thread.allocate_lock()
        self._hosts: dict[Route, Host] = {}
        self._waiters: deque[_Waiter] = deque()  # those only the limit in all holds back
        self._open = 0
        self._released: deque[Any] = deque()  # (route, connection) not counted out yet
        self._left: deque[Any] = deque()  # places on those that are shared, the same
        self._dialing: dict[Route, list[Any]] = {}  # who waits for the first shared connection
        self._latest: Host | None = None  # also saves the look-up for the same route again
        self.generation = 0
        self.assistant: Pool | None = None  # whose connections serve ours, and end with them
        self.coalescing: Any = None  # which of them serve other origins too, if any may
        _pools.add(self)

    # The hot path ---------------------------------------------------------------------------

    def take(self, route: Route, now: float) -> Http1Connection | None:
        """An idle connection on `route` that is clean, the most recently used; or None."""
        host = self._latest
        if host is None or host.route is not route:
            host = self._hosts.get(route)
            if host is None:
                return None
        idle = host.idle
        connection = None
        try:
            while idle:
                connection = idle.pop()
                if now - connection.idle_since > self.limits.idle_seconds:
                    connection.close(IDLE_TOO_LONG)
                elif connection.stream.is_readable():
                    connection.close(NOT_CLEAN)
                else:
                    return connection
        except IndexError:  # another thread was quicker
            pass
        except BaseException:
            if connection is not None:
                connection.close(INTERRUPTED)
            raise
        return None

    def give(self, connection: Http1Connection, now: float) -> None:
        """Take back a connection that is clean, for the next in line or to idle."""
        if connection.generation != self.generation:
            connection.close(POOL_CLOSED)
            return
        host = connection.host
        if (self._waiters or host.waiters) and self._hand_over(connection, host):
            return
        connection.idle_since = now
        idle = host.idle
        idle.append(connection)
        if len(idle) > self.limits.idle_per_host:
            with contextlib.suppress(IndexError):  # another thread was quicker
                idle.pop(0).close(NO_ROOM)
        if host is not self._latest:
            self._make_latest(host)

    # Opening and closing ----------------------------------------------------------------------

    async def open(
        self,
        route: Route,
        dial: "Callable[[], Awaitable[Connection]]",
        deadline: float | None,
    ) -> "Connection":
        """A new connection made by `dial`, when the limits allow; or one given back meanwhile.

        Raises:
            PoolTimeout: none came free before `deadline`.
        """
        waiter = self._reserve(route)
        if waiter is not None:
            try:
                await waiter.event.wait(deadline)
            except BaseException as error:
                self._leave(waiter, route)
                if isinstance(error, TimedOut):
                    raise PoolTimeout(
                        f"waiting for a connection to {route.host}: none of the allowed ones"
                        " became free (config: max_connections, max_connections_per_host);"
                        " a response that is neither read nor closed keeps its own"
                    ) from None
                raise
            if waiter.connection is not None:
                return waiter.connection
        try:
            connection = await dial()
        except BaseException:
            self.release(route)
            raise
        connection.generation = self.generation
        host = connection.host = self._hosts[route]
        if connection.is_shared:
            connection.users = 1  # type: ignore[union-attr]
            host.shared.append(connection)  # type: ignore[arg-type]
            with self._lock:
                self._fill_locked(connection, host)  # type: ignore[arg-type]
            self._settle()
        else:
            host.is_shared = False
        return connection

    # Connections that are shared --------------------------------------------------------------

    def take_shared(self, route: Route, now: float) -> "SharedConnection | None":
        """A place on a connection on `route`; None if there is none with room."""
        host = self._latest
        if host is None or host.route is not route:
            host = self._hosts.get(route)
        if host is None or not host.shared:
            return None
        least = now - self.limits.idle_seconds
        found = None
        old: tuple[SharedConnection, ...] = ()
        try:
            with self._lock:
                for connection in host.shared:
                    if not connection.users and connection.idle_since < least:
                        old = *old, connection
                    elif connection.has_room:
                        connection.users += 1
                        found = connection
                        break
            if self._released or self._left:
                self._settle()
            if old:
                for connection in old:
                    connection.close(IDLE_TOO_LONG)
            if host is not self._latest and found is not None:
                self._make_latest(host)
        except BaseException:
            if found is not None:
                self.leave(found)
            raise
        return found

    def all_shared(self) -> "list[SharedConnection]":
        """The connections that are shared, on whatever route."""
        with self._lock:
            shared = [connection for host in self._hosts.values() for connection in host.shared]
        self._settle()
        return shared

    def join(self, connection: "SharedConnection") -> bool:
        """Take a place on this very connection; False if it has no room, or is out of use."""
        host = connection.host
        least = self.runtime.now() - self.limits.idle_seconds
        with self._lock:
            is_taken = (
                host is not None
                and connection in host.shared
                and connection.generation == self.generation
                and (connection.users > 0 or connection.idle_since >= least)
                and connection.has_room
            )
            if is_taken:
                connection.users += 1
        self._settle()
        if is_taken and host is not self._latest:
            self._make_latest(host)  # type: ignore[arg-type]
        return is_taken

    def leave(self, connection: "SharedConnection", stream: ResponseStream | None = None) -> None:
        """A place on `connection` is free. Like `release`, the collector may call this.

        Args:
            stream: whose place it was; it is given back once, however often somebody says so. None
                if there was no stream yet.
        """
        if self._left or self._released or self._lock.locked():
            self._left.append((connection, stream))
            self._settle()
            return
        with self._lock:  # not by hand: a signal's exception could come in between
            is_useless = self._leave_locked(connection, stream)
        if self._left or self._released:
            self._settle()
        if is_useless:
            connection.close(connection.closing or POOL_CLOSED)

    def drop(self, connection: "SharedConnection") -> None:
        """A shared connection is closed."""
        if connection.host is not None:
            with contextlib.suppress(ValueError):
                connection.host.shared.remove(connection)
        self.release(connection.route, connection)

    def _leave_locked(self, connection: "SharedConnection", stream: ResponseStream | None) -> bool:
        """Count a place out, or give it to the next in line; True if the connection is to close."""
        if stream is not None:
            if not stream.has_place:
                return False
            stream.has_place = False
        connection.users -= 1
        is_useless = connection.closing is not None or connection.generation != self.generation
        host = connection.host
        if is_useless or host is None:
            return not connection.users
        if not connection.users:
            connection.idle_since = self.runtime.now()
        if host.waiters:
            self._fill_locked(connection, host)
        return False

    def _fill_locked(self, connection: "SharedConnection", host: Host) -> None:
        """Give those in line places on `connection`, as many as it has."""
        while host.waiters and connection.has_room:
            taker = self._next_in_line_locked(host)
            if taker is None:
                return
            connection.users += 1
            taker.connection = connection
            taker.event.set()

    def join_dialing(self, route: Route) -> tuple[Any, bool]:
        """What to do about a connection to share: (event, is_first).

        The event tells that whoever is making one on `route` is done; None if nobody is, or if
        there is none to wait for: the server speaks HTTP/1.1, or the limits allow no more. If
        `is_first` the others wait for the caller, who says `dialed` in the end.
        """
        with self._lock:
            host = self._hosts.get(route)
            waiting = self._dialing.get(route)
            event = None
            is_first = False
            if host is not None and not host.is_shared:
                pass
            elif waiting is not None:
                event = self.runtime.event()
                waiting.append(event)
            elif host is None or not self._is_full_locked(host):
                self._dialing[route] = []
                is_first = True
        self._settle()
        return event, is_first

    def _is_full_locked(self, host: Host) -> bool:
        limits = self.limits
        in_all, per_host = limits.open_in_all, limits.open_per_host
        return (per_host is not None and host.open >= per_host) or (
            in_all is not None and self._open >= in_all
        )

    def dialed(self, route: Route) -> None:
        """Whoever connected is done with it: the others may look."""
        with self._lock:
            waiting = self._dialing.pop(route, [])
        self._settle()
        for event in waiting:
            event.set()

    # Counting -----------------------------------------------------------------------------------

    def _reserve(self, route: Route) -> _Waiter | None:
        """Count a connection in, or stand in line."""
        with self._lock:
            waiter, surplus = self._reserve_locked(route)
        self._settle()
        if surplus is not None:
            surplus.close(NO_ROOM)
        return waiter

    def _reserve_locked(self, route: Route) -> "tuple[_Waiter | None, Connection | None]":
        """A place in line, or what has to be closed because its own place was taken."""
        limits = self.limits
        surplus = None
        host = self._hosts.get(route)
        if host is None:
            host = self._hosts[route] = Host(route)
        host_is_full = limits.open_per_host is not None and host.open >= limits.open_per_host
        all_full = limits.open_in_all is not None and self._open >= limits.open_in_all
        if all_full and not host_is_full:
            surplus = self._idle_elsewhere_locked(host)
            all_full = surplus is None
        if host_is_full or all_full:
            waiter = _Waiter(self.runtime.event(), host)
            host.waiters.append(waiter)
            if not host_is_full:
                self._waiters.append(waiter)
            return waiter, None
        host.open += 1
        self._open += 1
        return None, surplus

    def _idle_elsewhere_locked(self, host: Host) -> "Connection | None":
        """An idle connection of the least recently used other route, no longer counted."""
        for other in self._hosts.values():
            idle = None if other is host else _first_idle(other)
            if idle is not None:
                connection: Connection = idle
                other.open -= 1
                self._open -= 1
                connection.counted = False
                self._forget_locked(other)
                return connection
        return None

    def release(self, route: Route, connection: "Connection | None" = None) -> None:
        """A connection on `route` is closed, or could not be made: its place is free.

        The collector may call this where this very thread holds the lock: then whoever holds it
        counts the place out when it lets go.

        Args:
            connection: counted out once, however often somebody says so. None if there is none.
        """
        self._released.append((route, connection))
        self._settle()

    def _settle(self) -> None:
        """Count out what was released meanwhile. Called by whoever has just held the lock."""
        while (self._released or self._left) and not self._lock.locked():
            useless = []
            with self._lock:
                while self._released:
                    self._release_locked(*self._released.popleft())
                while self._left:
                    connection, stream = self._left.popleft()
                    if self._leave_locked(connection, stream):
                        useless.append(connection)
            for connection in useless:
                connection.close(connection.closing or POOL_CLOSED)

    def _release_locked(self, route: Route, connection: "Connection | None") -> None:
        if connection is not None:
            if not connection.counted:
                return
            connection.counted = False
        host = self._hosts.get(route)
        if host is None:
            return
        host.open -= 1
        self._open -= 1
        self._grant_locked(host)
        self._forget_locked(host)

    def _forget_locked(self, host: Host) -> None:
        """Nobody needs it if there is no connection and nobody waits for one."""
        if host.open <= 0 and not host.waiters:
            self._hosts.pop(host.route, None)
            if self._latest is host:
                self._latest = None

    def _grant_locked(self, host: Host) -> None:
        """Let the first in line make a connection in the place that came free."""
        limits = self.limits
        if limits.open_in_all is not None and self._open >= limits.open_in_all:
            return
        for line in (host.waiters, self._waiters):
            while line:
                waiter = line[0]
                target = waiter.host
                if waiter.granted:
                    line.popleft()
                    continue
                if limits.open_per_host is not None and target.open >= limits.open_per_host:
                    break
                line.popleft()
                waiter.granted = True
                target.open += 1
                self._open += 1
                waiter.event.set()
                return

    def _hand_over(self, connection: Http1Connection, host: Host) -> bool:
        """Give a clean connection straight to whoever waits for its route, in order."""
        with self._lock:
            taker = self._next_in_line_locked(host)
            if taker is not None:
                taker.connection = connection
                taker.event.set()
            is_wanted = any(not waiter.granted for waiter in self._waiters)
            if not is_wanted:
                self._waiters.clear()
        self._settle()
        if taker is None and is_wanted:
            connection.close(NO_ROOM)  # somebody waits for the place, on another route
        return taker is not None or is_wanted

    def _next_in_line_locked(self, host: Host) -> _Waiter | None:
        while host.waiters:
            waiter = host.waiters.popleft()
            if not waiter.granted:
                waiter.granted = True
                return waiter
        return None

    def _leave(self, waiter: _Waiter, route: Route) -> None:
        """A waiter gave up. What it was given in the same moment goes on to the next."""
        with self._lock:
            was_granted = waiter.granted
            waiter.granted = True
            for line in (waiter.host.waiters, self._waiters):
                with contextlib.suppress(ValueError):  # it has come to its turn there
                    line.remove(waiter)
        self._settle()
        if was_granted:
            if waiter.connection is not None and waiter.connection.is_shared:
                self.leave(waiter.connection)  # type: ignore[arg-type]
            elif waiter.connection is not None:
                self.give(waiter.connection, self.runtime.now())  # type: ignore[arg-type]
            else:
                self.release(route)

    def _make_latest(self, host: Host) -> None:
        """Move `host` to the end of the order of use; drop idle ones of routes too many."""
        surplus: list[Connection] = []
        with self._lock:
            is_known = self._hosts.get(host.route) is host
            if is_known:
                self._hosts[host.route] = self._hosts.pop(host.route)
                self._latest = host
            if is_known and len(self._hosts) > self.limits.hosts:
                for other in list(self._hosts.values())[: len(self._hosts) - self.limits.hosts]:
                    surplus += _all_idle(other)
        self._settle()
        for connection in surplus:
            connection.close(NO_ROOM)

    def close(self) -> None:
        """Close every idle connection; those in use are closed when they come back."""
        with self._lock:
            self.generation += 1
            idle = [one for host in self._hosts.values() for one in _all_idle(host)]
        self._settle()
        for connection in idle:
            connection.close(POOL_CLOSED)
        if self.assistant is not None:
            self.assistant.close()

    def abandon(self) -> None:
        """Close every idle connection of a pool nobody will take from again.

        The collector calls this at any moment, perhaps while this very thread holds the lock, so
        it takes none.
        """
        self.generation += 1
        for host in list(self._hosts.values()):
            while host.idle:
                connection = host.idle.pop()
                connection.counted = False
                connection.close(POOL_CLOSED)
            for shared in list(host.shared):
                if not shared.users:
                    shared.counted = False
                    shared.close(POOL_CLOSED)
        if self.assistant is not None:
            self.assistant.abandon()

    def forget(self) -> None:
        """In a forked child: the connections are the parent's; drop them, do not speak on them."""
        self._lock = _thread.allocate_lock()
        hosts, self._hosts = self._hosts, {}
        self._waiters = deque()
        self._released = deque()
        self._left = deque()
        self._dialing = {}
        self._open = 0
        self._latest = None
        self.generation += 1
        for host in hosts.values():
            for connection in host.idle:
                connection.counted = False
                connection.close(FORKED)
            for shared in host.shared:
                shared.counted = False
                shared.close(FORKED)

    @property
    def counts(self) -> tuple[int, int, int]:
        """(idle, in use or being made, waiting)."""
        self._settle()
        with self._lock:
            idle = sum(
                [
                    len(host.idle) + sum(not shared.users for shared in host.shared)
                    for host in self._hosts.values()
                ]
            )
            waiting = sum([not one.granted for h in self._hosts.values() for one in h.waiters])
            counts = idle, self._open - idle, waiting
        self._settle()
        return counts

    def __repr__(self) -> str:
        idle, in_use, waiting = self.counts
        return f"<Pool {idle} idle, {in_use} in use, {waiting} waiting>"


def _first_idle(host: Host) -> "Connection | None":
    """An idle connection of `host`, taken from it."""
    if host.idle:
        return host.idle.pop(0)
    for connection in host.shared:
        if not connection.users:
            host.shared.remove(connection)
            return connection
    return None


def _all_idle(host: Host) -> "list[Connection]":
    """The idle connections of `host`, taken from it."""
    idle: list[Connection] = [*host.idle]
    idle += [shared for shared in host.shared if not shared.users]
    host.idle.clear()
    host.shared[:] = [shared for shared in host.shared if shared.users]
    return idle


_pools: WeakSet[Pool] = WeakSet()


def _forget_all() -> None:
    for pool in list(_pools):
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
