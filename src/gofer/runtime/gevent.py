"""The gevent runtime: waits in gevent's hub, so that other greenlets go on; nothing is patched.

In a process that gevent has patched the plain blocking runtime does the same by itself. This one
is for those who use gevent without patching: `Session(runtime="gevent")`. Its bulk runs are on
`GeventHub`, a hub whose poll is a wait in gevent's.
"""

import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

try:
    import gevent
    from gevent import event as gevent_event
    from gevent import select as gevent_select
    from gevent import selectors as gevent_selectors
    from gevent import socket as gevent_socket
except ImportError as error:
    raise ImportError("runtime='gevent' needs gevent: pip install gofer[gevent]") from error

from gofer.runtime import names
from gofer.runtime.base import Event, TimedOut
from gofer.runtime.blocking import BlockingRuntime
from gofer.runtime.connecting import connect_datagrams, connect_first, connect_unix
from gofer.runtime.datagrams import DatagramSocket
from gofer.runtime.hub import Hub, SelectorPoll
from gofer.runtime.names import Address
from gofer.runtime.sockets import READABLE, WRITABLE, ByTurns, closed, poll

__all__ = ["GeventDatagrams", "GeventHub", "GeventRuntime", "GeventStream", "runtime"]

T = TypeVar("T")


class GeventRuntime(BlockingRuntime):
    """Every leaf blocks its greenlet, and nobody else."""

    name = "gevent"
    current = None
    is_interruptible = False

    async def sleep(self, seconds: float) -> None:
        """Sleep; not at all if `seconds` is not positive."""
        if seconds > 0:
            gevent.sleep(seconds)

    def event(self) -> Event:
        """Something that one greenlet waits for and another sets."""
        return _Event()

    async def resolve(self, host: str, port: int, deadline: float | None) -> list[Address]:
        """The (family, sockaddr) pairs of `host`, by gevent's resolver.

        Raises:
            OSError: `socket.gaierror`, no address is known.
            TimedOut: the deadline passed first.
        """
        found: list[Address] = _limited(
            deadline, names.look_up, host, port, gevent_socket.getaddrinfo
        )
        return found

    async def in_thread(self, work: Callable[[], T], deadline: float | None) -> T:
        """What `work` returns, in the threads in which gevent looks names up."""
        result: T = _limited(deadline, gevent.get_hub().threadpool.apply, work)
        return result

    async def connect(  # type: ignore[override]
        self, addresses: list[Address], deadline: float | None, **options: Any
    ) -> "GeventStream":
        """A TCP stream to the first of `addresses` that answers; see `connect_first`."""
        return GeventStream(await connect_first(addresses, deadline, _wait_writable, **options))

    async def connect_unix(  # type: ignore[override]
        self, path: str, deadline: float | None
    ) -> "GeventStream":
        """A stream to the unix socket at `path`; see `connecting.connect_unix`."""
        return GeventStream(await connect_unix(path, deadline, self.sleep))

    async def connect_datagrams(  # type: ignore[override]
        self, address: Address, **options: Any
    ) -> "GeventDatagrams":
        """Datagrams to and from `address`; see `connecting.connect_datagrams`."""
        return GeventDatagrams(connect_datagrams(address, **options))


runtime = GeventRuntime()


def _limited(deadline: float | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns. Raises `TimedOut` when the deadline passes first."""
    if deadline is None:
        return function(*arguments)
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimedOut
    with gevent.Timeout(seconds, TimedOut()):
        return function(*arguments)


async def _wait_writable(descriptors: list[int], until: float | None) -> list[int]:
    """Those of `descriptors` that are writable or broken; none if `until` came first."""
    seconds = None if until is None else max(0.0, until - monotonic())
    _, writable, broken = gevent_select.select([], descriptors, descriptors, seconds)
    return list(dict.fromkeys([*writable, *broken]))


class _Event:
    """Set once, by anybody."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = gevent_event.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, deadline: float | None) -> None:
        """Return when set. Raises `TimedOut`."""
        seconds = None if deadline is None else max(0.0, deadline - monotonic())
        if not self._event.wait(seconds):
            raise TimedOut


class GeventStream(ByTurns):
    """A connected socket. One greenlet may send while another receives."""

    __slots__ = ("_waits",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._waits: dict[int, Any] = {}  # watchers, by what they watch for

    async def _wait(self, events: int, deadline: float | None) -> int:
        descriptor = self._socket.fileno()
        if descriptor == -1:
            raise closed()
        hub = gevent.get_hub()
        watched = (1 if events & READABLE else 0) | (2 if events & WRITABLE else 0)
        watcher = self._waits.get(watched)
        if watcher is None or watcher.loop is not hub.loop:
            watcher = self._waits[watched] = hub.loop.io(descriptor, watched)
        _limited(deadline, hub.wait, watcher)
        if events in (READABLE, WRITABLE):
            return events
        ready = poll([descriptor], events, 0.0)
        return ready[0][1] & events if ready else 0

    def _call_soon(self, call: Callable[[], None], seconds: float) -> None:
        if seconds:
            gevent.spawn_later(seconds, call)
        else:
            gevent.get_hub().loop.run_callback(call)

    def abort(self) -> None:
        """Close at once and without waiting. A greenlet inside `receive` or `send` goes on."""
        waits, self._waits = self._waits, {}
        for watcher in waits.values():
            gevent.get_hub().cancel_wait(watcher, closed(), True)
        super().abort()


class GeventDatagrams(DatagramSocket, GeventStream):
    """A connected UDP socket."""

    __slots__ = ()
    receive = GeventStream.receive


class GeventHub(Hub):
    """A hub in one greenlet: the others go on while it waits, and once a turn if it need not."""

    def _open_poll(self) -> Any:
        if hasattr(select, "epoll"):
            self._poll = _Epoll()
        else:  # not on Linux, or patched
            self._poll = SelectorPoll(gevent_selectors.GeventSelector())
        return self._poll


class _Epoll:
    """What a hub needs of `select.epoll`; gevent waits for its descriptor to become readable."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.close = self._epoll.close

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        ready = self._epoll.poll(0)
        if ready or not seconds:
            gevent.sleep(0)
            return ready
        hub = gevent.get_hub()
        watcher = hub.loop.io(self._epoll.fileno(), 1)
        try:
            _limited(monotonic() + seconds, hub.wait, watcher)
        except TimedOut:
            pass
        finally:
            watcher.close()
        return self._epoll.poll(0)
