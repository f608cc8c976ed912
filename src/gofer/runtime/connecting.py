"""Connecting to the first of several addresses that answers (RFC 8305): written once.

A runtime gives the one leaf that waits: until one of some descriptors is writable, or a time has
come. Attempts start 250 ms apart, or at once when the one before has failed; whoever wins, the
other sockets are closed. Gevent patches `socket` in place, so it is looked up when called.
"""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

from gofer.runtime.base import TimedOut
from gofer.runtime.names import Address

__all__ = ["WaitWritable", "connect_datagrams", "connect_first", "connect_unix"]

# descriptors, a monotonic time or None -> those that are writable or broken; none if time came
WaitWritable = Callable[[list[int], float | None], Awaitable[list[int]]]

BACKLOG_DELAY = 0.02  # seconds before a unix socket whose backlog is full is asked again
ATTEMPT_DELAY = 0.25  # seconds before the next address is tried beside the last (RFC 8305, 5)

# What a connect that goes on says. EWOULDBLOCK means that on Windows alone: elsewhere it failed.
_IN_PROGRESS = {errno.EWOULDBLOCK} if os.name == "nt" else {errno.EINPROGRESS}


async def connect_first(
    addresses: list[Address],
    deadline: float | None,
    wait_writable: WaitWritable,
    *,
    source_address: tuple[str, int] | None = None,
    socket_options: Iterable[tuple[Any, ...]] = (),
    keep_alive: bool = True,
) -> socket.socket:
    """A connected, non-blocking TCP socket.

    Args:
        source_address: (IP literal, port) to connect from; port 0 is any.
        socket_options: arguments of `setsockopt`, applied before connecting.
        keep_alive: SO_KEEPALIVE, so that a vanished peer is noticed at last.

    Raises:
        OSError: the last address's error, with a note for each address.
        TimedOut: with a note for each address that was tried.
    """
    options: list[tuple[Any, ...]] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if keep_alive:
        options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    options.extend(socket_options)
    return await _Race(addresses, deadline, wait_writable, source_address, options).run()


async def connect_unix(
    path: str, deadline: float | None, sleep: Callable[[float], Awaitable[None]]
) -> socket.socket:
    """A non-blocking socket connected to the unix socket at `path`.

    Raises:
        OSError: nobody listens there, or the platform has no unix sockets.
        TimedOut: the listener's backlog stayed full.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "this platform has no unix sockets")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            if deadline is not None and monotonic() >= deadline:
                raise TimedOut
            try:
                sock.connect(path)
                return sock
            except BlockingIOError:  # a full backlog: nothing to poll for, so ask again
                left = BACKLOG_DELAY if deadline is None else deadline - monotonic()
                await sleep(min(BACKLOG_DELAY, left))
    except BaseException:
        sock.close()
        raise


# Of ip(7) and ipv6(7), which Python has no names for: never fragment (RFC 9000, 14).
_UNFRAGMENTED = {socket.AF_INET: (socket.IPPROTO_IP, 10, 2), socket.AF_INET6: (41, 23, 2)}
RECEIVE_BUFFER = 4 * 1024 * 1024  # bytes asked of the system, which may give less


def connect_datagrams(
    address: Address,
    *,
    source_address: tuple[str, int] | None = None,
    socket_options: Iterable[tuple[Any, ...]] = (),
) -> socket.socket:
    """A non-blocking UDP socket connected to `address`: nothing goes over the wire for that.

    Args:
        source_address: (IP literal, port) to send from; port 0 is any.
        socket_options: arguments of `setsockopt`; those for TCP are left out.

    Raises:
        OSError: there is no way to that address from here.
    """
    family, sockaddr = address
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if sys.platform == "linux" and family in _UNFRAGMENTED:
            with contextlib.suppress(OSError):
                sock.setsockopt(*_UNFRAGMENTED[family])
        for option in socket_options:
            if option[0] != socket.IPPROTO_TCP:
                sock.setsockopt(*option)
        if source_address is not None:
            sock.bind(_local(source_address, family))
        sock.connect(sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _local(source_address: tuple[str, int], family: int) -> tuple[Any, ...]:
    """What to bind a socket of `family` to: `bind` would leave the zone of an address behind.

    Raises:
        OSError: there is no such zone here.
    """
    host, port = source_address
    address, _, zone = host.partition("%")
    if not zone or family != socket.AF_INET6:
        return host, port
    return address, port, 0, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)


class _Race:
    """Attempts to connect, each to one address, the next one 250 ms after the last (RFC 8305).

    An attempt that fails starts the next at once. The first to succeed wins; the others are
    closed. With one address this is a plain connect with a limit.
    """

    def __init__(
        self,
        addresses: list[Address],
        deadline: float | None,
        wait_writable: WaitWritable,
        source_address: tuple[str, int] | None,
        options: list[tuple[Any, ...]],
    ) -> None:
        self._waiting = _interleaved(addresses)
        self._deadline = deadline
        self._wait_writable = wait_writable
        self._source_address = source_address
        self._options = options
        self._trying: dict[int, tuple[socket.socket, Address]] = {}  # by file descriptor
        self._last_error = OSError(errno.EADDRNOTAVAIL, "there is no address to connect to")
        self._notes: list[str] = []

    async def run(self) -> socket.socket:
        """The connected socket."""
        try:
            while self._waiting or self._trying:
                winner = await self._turn()
                if winner is not None:
                    return winner
            raise self._last_error
        except (OSError, TimedOut) as error:
            for _, address in self._trying.values():
                self._notes.append(f"{_text(address)}: no answer")
            for note in self._notes:
                error.add_note(note)
            raise
        finally:
            for sock, _ in self._trying.values():
                sock.close()

    async def _turn(self) -> socket.socket | None:
        """Start one more attempt, if there is one, and give all of them some time."""
        self._check_deadline()
        if self._waiting:
            winner = self._start(self._waiting.pop(0))
            if winner is not None:
                return winner
        next_start = monotonic() + ATTEMPT_DELAY if self._waiting else None
        while self._trying:
            self._check_deadline()
            until = self._deadline
            if next_start is not None:
                if next_start <= monotonic():
                    return None
                until = next_start if until is None else min(until, next_start)
            for descriptor in await self._wait_writable(list(self._trying), until):
                winner = self._finish(descriptor)
                if winner is not None:
                    return winner
                next_start = 0.0 if self._waiting else None
        return None

    def _check_deadline(self) -> None:
        if self._deadline is not None and monotonic() >= self._deadline:
            raise TimedOut

    def _start(self, address: Address) -> socket.socket | None:
        """Begin to connect. The socket, if that is already done."""
        family, sockaddr = address
        sock = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            for option in self._options:
                sock.setsockopt(*option)
            if self._source_address is not None:
                sock.bind(_local(self._source_address, family))
            sock.setblocking(False)
            number = sock.connect_ex(sockaddr)
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, OSError):
                raise
            self._failed(address, error)
            return None
        if number == 0:
            return sock
        if number in _IN_PROGRESS:
            self._trying[sock.fileno()] = sock, address
            return None
        sock.close()
        self._failed(address, OSError(number, os.strerror(number)))
        return None

    def _finish(self, descriptor: int) -> socket.socket | None:
        """Take a decided attempt out of the race. The socket, if it is connected."""
        sock, address = self._trying.pop(descriptor)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == 0:
            return sock
        sock.close()
        self._failed(address, OSError(number, os.strerror(number)))
        return None

    def _failed(self, address: Address, error: OSError) -> None:
        self._last_error = error
        self._notes.append(f"{_text(address)}: {error.strerror or error}")


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Alternate between the family that the resolver put first and the others (RFC 8305, 4)."""
    if len(addresses) < 3:
        return list(addresses)
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    ordered = []
    while first or others:
        ordered.extend(first[:1] + others[:1])
        del first[:1], others[:1]
    return ordered


def _text(address: Address) -> str:
    """An address as people write it: 192.0.2.1:80, [2001:db8::1]:80."""
    host, port = address[1][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
