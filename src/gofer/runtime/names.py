"""From a host name to addresses: written once, for every runtime.

getaddrinfo cannot be interrupted, so it runs in a thread (`threads.py`). Gevent patches `socket` in
place, so it is looked up when called.
"""

import socket
from collections.abc import Callable
from typing import Any

from gofer.runtime.base import Event
from gofer.runtime.threads import in_thread

__all__ = ["Address", "literal", "look_up", "resolve"]

Address = tuple[Any, ...]  # (family, sockaddr)


async def resolve(
    host: str, port: int, deadline: float | None, new_event: Callable[[], Event]
) -> list[Address]:
    """The (family, sockaddr) pairs of `host`, in the system's order of preference.

    Args:
        new_event: makes an event that another thread may set.

    Raises:
        OSError: `socket.gaierror`, no address is known.
        TimedOut: the deadline passed first.
    """
    address = literal(host, port)
    if address is not None:
        return [address]
    name = _name_bytes(host)
    return await in_thread(lambda: _addresses(name, port, socket.getaddrinfo), new_event, deadline)


def look_up(host: str, port: int, getaddrinfo: Any = None) -> list[Address]:
    """As `resolve`, in this thread and for as long as it takes.

    Args:
        getaddrinfo: one that waits in another way than `socket.getaddrinfo`.
    """
    address = literal(host, port)
    if address is not None:
        return [address]
    return _addresses(_name_bytes(host), port, getaddrinfo or socket.getaddrinfo)


def literal(host: str, port: int) -> Address | None:
    """The address that `host` spells out, or None if it is a name. Scoped IPv6 counts as a name."""
    try:
        if ":" in host:
            socket.inet_pton(socket.AF_INET6, host)
            return socket.AF_INET6, (host, port, 0, 0)
        if host[-1:].isdigit():
            socket.inet_pton(socket.AF_INET, host)
            return socket.AF_INET, (host, port)
    except OSError:
        pass
    return None


def _name_bytes(host: str) -> bytes:
    """`host` for getaddrinfo: as bytes it skips Python's idna codec (8 ms at its first use)."""
    if not host or "\0" in host or not host.isascii():
        raise socket.gaierror(socket.EAI_NONAME, "not a host name")
    return host.encode("ascii")


def _addresses(name: bytes, port: int, getaddrinfo: Any) -> list[Address]:
    # Only TCP, or each address would come once per socket type.
    found = getaddrinfo(name, port, type=socket.SOCK_STREAM)
    addresses = [(family, sockaddr) for family, _, _, _, sockaddr in found]
    return list(dict.fromkeys(addresses))  # /etc/hosts may name one twice
