"""Who may open a connection, who waits for one, and who has a place on one that is shared.

All of it is counted under one lock. Nothing waits there, and no socket is touched. The collector
may give a place back at any moment, perhaps while this very thread holds the lock: then whoever
holds it counts the place out when it lets go (`_settle`).

State: `_hosts`, one `Host` per route with open connections or waiters, least recently used first.
"""

import _thread  # whose locks are those of threading, which takes 1 ms to import
from collections import deque
from typing import TYPE_CHECKING, Any

from gofer.network.http1 import Http1Connection
from gofer.network.routes import Route
from gofer.protocols.streams import ResponseStream
from gofer.runtime.base import Runtime

if TYPE_CHECKING:
    from gofer.network.shared import SharedConnection

    Connection = Http1Connection | SharedConnection

__all__ = ["NO_ROOM", "POOL_CLOSED", "Host", "Places", "PoolLimits", "Waiter"]

# Why a connection was not kept: values for the log and for whoever debugs.
NO_ROOM = "the pool is full"
POOL_CLOSED = "the pool was closed"


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
        self.waiters: deque[Waiter] = deque()


class Waiter:
    """Somebody in line for a connection, or for the right to make one."""

    __slots__ = ("connection", "event", "granted", "host")

    def __init__(self, event: Any, host: Host) -> None:
        self.event = event
        self.host = host
        self.granted = False
        self.connection: Connection | None = None


class Places:
    """What a pool counts, by route. See `Pool`, which has connections to give."""

    def __init__(self, runtime: Runtime, limits: PoolLimits | None = None) -> None:
        self.runtime = runtime
        self.limits = limits or PoolLimits()
        self.generation = 0
        self._begin()

    def _begin(self) -> None:
        """Nothing is open, and nobody waits."""
        self._lock = _thread.allocate_lock()
        self._hosts: dict[Route, Host] = {}
        self._latest: Host | None = None  # also saves the look-up for the same route again
        self._waiters: deque[Waiter] = deque()  # those only the limit in all holds back
        self._open = 0
        self._released: deque[Any] = deque()  # (route, connection) not counted out yet
        self._left: deque[Any] = deque()  # places on those that are shared, the same
        self._dialing: dict[Route, list[Any]] = {}  # who waits for the first shared connection

    # A place for a connection ---------------------------------------------------------------------

    def _reserve(self, route: Route) -> Waiter | None:
        """Count a connection in, or stand in line."""
        with self._lock:
            waiter, surplus = self._reserve_locked(route)
        self._settle()
        if surplus is not None:
            surplus.close(NO_ROOM)
        return waiter

    def _reserve_locked(self, route: Route) -> "tuple[Waiter | None, Connection | None]":
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
            waiter = Waiter(self.runtime.event(), host)
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

    def _forget_locked(self, host: Host) -> None:
        """Nobody needs it if there is no connection and nobody waits for one."""
        if host.open <= 0 and not host.waiters:
            self._hosts.pop(host.route, None)
            if self._latest is host:
                self._latest = None

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

    def _next_in_line_locked(self, host: Host) -> Waiter | None:
        while host.waiters:
            waiter = host.waiters.popleft()
            if not waiter.granted:
                waiter.granted = True
                return waiter
        return None

    # A place on one that is shared ----------------------------------------------------------------

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


def _first_idle(host: Host) -> "Connection | None":
    """An idle connection of `host`, taken from it."""
    if host.idle:
        return host.idle.pop(0)
    for connection in host.shared:
        if not connection.users:
            host.shared.remove(connection)
            return connection
    return None
