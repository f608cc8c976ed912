"""The connections of a session: which are idle, and which others share.

Taking and giving back are O(1) and, without limits, take no lock: a list's pop and append are
atomic. What is counted, and who waits, is `places.py`.

An idle connection is used again only when it is provably clean: nothing of its last response is
unread, nothing came since, and it has not idled too long. Most recently used first, so that
surplus connections grow old and go.

A connection that many exchanges share (HTTP/2, HTTP/3) stays where it is found: in `Host.shared`,
from its first exchange on; `users` counts the places taken on it.
"""

import contextlib
import os
from _weakrefset import WeakSet  # as threading does; weakref takes another ms
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gofer.exceptions import PoolTimeout
from gofer.network.http1 import Http1Connection
from gofer.network.places import NO_ROOM, POOL_CLOSED, Host, Places, PoolLimits, Waiter
from gofer.network.routes import Route
from gofer.runtime.base import Runtime, TimedOut

if TYPE_CHECKING:
    from gofer.network.shared import SharedConnection

    Connection = Http1Connection | SharedConnection

__all__ = ["Pool", "PoolLimits"]

# Why a connection was not kept, beside the reasons of `places.py`.
IDLE_TOO_LONG = "it idled too long"
NOT_CLEAN = "the peer closed it or sent something while it was idle"
INTERRUPTED = "whoever took it was interrupted"
FORKED = "it belongs to the parent process"


class Pool(Places):
    """Connections by route. Safe to share between threads; forgotten in a forked child."""

    def __init__(self, runtime: Runtime, limits: PoolLimits | None = None) -> None:
        super().__init__(runtime, limits)
        self.assistant: Pool | None = None  # whose connections serve ours, and end with them
        self.coalescing: Any = None  # which of them serve other origins too, if any may
        _pools.add(self)

    # The hot path ---------------------------------------------------------------------------------

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

    # Opening --------------------------------------------------------------------------------------

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
                self._give_up(waiter, route)
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

    def _give_up(self, waiter: Waiter, route: Route) -> None:
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

    # Connections that are shared ------------------------------------------------------------------

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

    def all_shared(self) -> "list[SharedConnection]":
        """The connections that are shared, on whatever route."""
        with self._lock:
            shared = [connection for host in self._hosts.values() for connection in host.shared]
        self._settle()
        return shared

    def drop(self, connection: "SharedConnection") -> None:
        """A shared connection is closed."""
        if connection.host is not None:
            with contextlib.suppress(ValueError):
                connection.host.shared.remove(connection)
        self.release(connection.route, connection)

    # Closing --------------------------------------------------------------------------------------

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
        hosts = self._hosts
        self._begin()
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
