"""Where to connect to for a host: what the caller says, before what the system's resolver says."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from functools import partial
from typing import Any

from gofer.exceptions import InvalidURL, NameResolutionError
from gofer.messages.hosts import authority, host_to_ascii
from gofer.runtime.base import Runtime, TimedOut

__all__ = ["Resolve", "check_resolve", "checked_options", "resolving"]

# host, port, deadline -> the (family, sockaddr) pairs to try, as `Runtime.resolve`
Resolve = Callable[[str, int, float | None], Awaitable[list[tuple[Any, ...]]]]

CO_COROUTINE = 0x80  # of `inspect`: an `async def`


def check_resolve(given: Any) -> Any:
    """`resolve` as a session keeps it: None, a callable, the URL of a server of DNS over HTTPS, or
    a dict whose hosts are written as in routes.

    Raises:
        TypeError: it is none of these.
        ValueError: the URL, or a host or an address in the dict, is of no use; the message says
            which.
        ImportError: DNS over HTTPS needs the extra `dns`.
    """
    if given is None or callable(given):
        return given
    if isinstance(given, str):
        from gofer.network.dns_over_https import check_server

        check_server(given)
        return given
    if not isinstance(given, Mapping):
        raise TypeError(
            f"resolve: got {type(given).__name__}, expected {{'host:port': address}}, a callable,"
            " or the URL of a server of DNS over HTTPS"
        )
    checked = {}
    for name, targets in given.items():
        host, port = _key(name)
        several = list(targets) if isinstance(targets, list | tuple) else [targets]
        for target in several:
            _split(target, 0)
        checked[host if port is None else authority(host, port)] = several
    return checked


def resolving(given: Any, look_up: Resolve, runtime: Runtime) -> Resolve:
    """What looks names up where the caller has a say.

    Args:
        given: {"host:port" or "host": address, or a list of them}, an address being "192.0.2.1",
            "192.0.2.1:8443", "[2001:db8::1]:8443", one of `ipaddress`, or another name to look up;
            or a callable that
            takes host and port and gives such a list (or an awaitable of it), None for a host that
            it does not know. It is called in a thread, unless it is `async`: it may take its time.
        look_up: the usual way.
    """

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        if callable(given):
            targets = await _asked(given, host, port, deadline, runtime)
        else:
            plain = host.removesuffix(".")
            targets = given.get(authority(plain, port), given.get(plain))
        if targets is None:
            return await look_up(host, port, deadline)
        if isinstance(targets, str) or _is_address(targets):
            targets = [targets]
        if not isinstance(targets, list | tuple):
            raise TypeError(
                f"resolve: the callable gave {type(targets).__name__}, expected addresses or None"
            )
        addresses: list[tuple[Any, ...]] = []
        problem: NameResolutionError | None = None
        for target in targets:
            name, other_port = _split(target, port)
            try:
                addresses += await look_up(name, other_port, deadline)
            except TimedOut as late:
                late.add_note(f"it stands for {name}")
                raise
            except (OSError, UnicodeError) as error:  # another target may be there
                problem = NameResolutionError(
                    f"resolving {host}, which stands for {name}:"
                    f" {getattr(error, 'strerror', None) or error}"
                )
                problem.__cause__ = error
        if problem is not None and not addresses:
            raise problem
        return addresses

    return resolve


async def _asked(
    function: Any, host: str, port: int, deadline: float | None, runtime: Runtime
) -> Any:
    """What the caller's `function` says of a host.

    Raises:
        TimedOut: it took too long. Wherever nobody could interrupt it, it has ended by now.
        RuntimeError: it waits for an event loop and there is none.
    """
    code = getattr(function, "__code__", None)  # `inspect` would take 5 ms
    if code is not None and code.co_flags & CO_COROUTINE:
        answer = function(host, port)  # nothing of it has run yet
    else:
        work = partial(copy_context().run, function, host, port)
        answer = await runtime.in_thread(work, deadline)
    if hasattr(answer, "__await__"):
        answer = await runtime.until(answer, deadline)
    if deadline is not None and runtime.now() >= deadline:
        raise TimedOut
    return answer


def _key(name: Any) -> tuple[str, int | None]:
    """Host and port of a key, as they are in routes.

    Raises:
        ValueError: no URL leads there.
    """
    expected = "expected 'host' or 'host:port'"
    if not isinstance(name, str) or not name:
        raise ValueError(f"resolve: got {name!r:.60}, {expected}")
    if "/" in name:
        raise ValueError(f"resolve: a key is a URL, {expected}: no scheme and no path")
    if "*" in name:
        raise ValueError(f"resolve: got {name!r:.60}, {expected}; many hosts need a callable")
    host, port = _host_and_port(name)
    return host.removesuffix("."), port


def _split(target: Any, port: int) -> tuple[str, int]:
    """Host and port of an address; `port` where it names none.

    Raises:
        ValueError: it is none.
    """
    if _is_address(target):
        return str(target), port
    if not isinstance(target, str) or not target:
        raise ValueError(f"resolve: got {target!r:.60}, expected an address")
    host, own_port = _host_and_port(target)
    return host, port if own_port is None else own_port


def _is_address(value: Any) -> bool:
    """True for an address of `ipaddress`, which is not imported for that."""
    return hasattr(value, "packed") and hasattr(value, "max_prefixlen")


def _host_and_port(text: str) -> tuple[str, int | None]:
    """A host as it is compared, and its port if it has one. IPv6 needs no brackets without.

    Raises:
        ValueError: no host, or no port, looks like that.
    """
    host, colon, digits = text, "", ""
    if text.startswith("["):
        host, bracket, digits = text.partition("]")
        host += bracket
        colon, digits = digits[:1], digits[1:]
    elif text.count(":") == 1:
        host, colon, digits = text.partition(":")
    if colon and not (colon == ":" and digits.isdecimal() and 0 < int(digits[:9]) < 65536):
        raise ValueError(f"resolve: got {text!r:.60}, whose port is none")
    try:
        host = host_to_ascii(host)
    except InvalidURL as error:
        raise ValueError(f"resolve: got {text!r:.60}: {error}") from None
    return host, int(digits) if colon else None


def checked_options(given: Any) -> tuple[tuple[Any, ...], ...]:
    """`socket_options` as a session keeps it.

    Raises:
        TypeError: something in it is no (level, option, value).
    """
    options = tuple(tuple(o) if isinstance(o, tuple | list) else o for o in given or ())
    for option in options:
        if not (isinstance(option, tuple) and len(option) in (3, 4)):
            raise TypeError(
                f"socket_options: got {option!r:.60}, expected (level, option, value), the"
                " arguments of setsockopt"
            )
    return options
