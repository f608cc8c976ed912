"""Asking a proxy for a tunnel, by CONNECT or by SOCKS. Behind its answer the origin speaks."""

from collections.abc import Awaitable, Callable, Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from gofer.exceptions import ProxyError, RequestException, TunnelRefused
from gofer.messages.fields import FieldSection, Headers
from gofer.messages.hosts import authority
from gofer.network.losses import why
from gofer.network.proxies import Proxy
from gofer.runtime.base import Stream, TimedOut

if TYPE_CHECKING:
    from gofer.messages.digest import ProtectionSpace
    from gofer.protocols.proxy import ConnectResponse
    from gofer.protocols.socks import Handshake

__all__ = ["Space", "Spaces", "Untried", "answer", "by_connect", "by_socks", "learn"]

# The Digest challenges of proxies, by the proxy's key, each with a counter for `nc`
Space = tuple["ProtectionSpace", Iterator[int]]
Spaces = dict[Hashable, Space]

# Addresses of the hosts that SOCKS proxies are asked for, by proxy, host and port
Untried = dict[Hashable, list[tuple[Any, ...]]]

RECEIVE_BYTES = 16 * 1024  # the answer to CONNECT is a few lines


async def by_connect(
    stream: Stream,
    proxy: Proxy,
    host: str,
    port: int,
    deadline: float | None,
    user_agent: str | None,
    spaces: Spaces,
) -> None:
    """Ask an HTTP proxy for a tunnel (RFC 9110, 9.3.6); return when `stream` leads to `host`.

    Basic credentials are sent at once, so a 407 means that they are missing or wrong, or that the
    proxy wants Digest. From then on it gets that at once, and Basic no more.

    Raises:
        TunnelRefused: if it `is_challenge`, `spaces` now know the answer, for another connection.
        ProxyError: it broke the rules.
    """
    from gofer.protocols.proxy import ConnectReader, connect_request

    authorization = proxy.authorization
    known = spaces.get(proxy.key)
    if known is not None:
        space = known[0]
        content_hash = space.hash(b"") if space.quality == "auth-int" else b""
        authorization = answer(known, proxy, "CONNECT", authority(host, port), content_hash)
    request = connect_request(host, port, authorization, user_agent, proxy.fields)
    reader = ConnectReader(str(proxy))
    response = None
    try:
        await stream.send(request, deadline)
        while response is None:
            response = reader.feed(await stream.receive(RECEIVE_BYTES, deadline))
    except ProxyError:
        raise
    except OSError as exc:
        cause = why(exc, stream)
        raise ProxyError(
            f"asking {proxy} for a tunnel to {authority(host, port)}:"
            f" {getattr(cause, 'strerror', None) or cause}"
        ) from exc
    if response.is_tunnel:
        return
    refusal = _refusal(response, authority(host, port), proxy)
    if response.status == 407 and any(proxy.login):
        refusal.is_challenge = learn(response.fields, proxy, spaces)
    raise refusal


def learn(fields: FieldSection, proxy: Proxy, spaces: Spaces) -> bool:
    """Keep the challenge in a proxy's answer; False if there is none that can be answered."""
    from itertools import count

    from gofer.messages.challenges import parse_challenges
    from gofer.messages.digest import ProtectionSpace, choose

    challenge = choose(parse_challenges(fields.get_all("proxy-authenticate")))
    if challenge is None:
        return False
    space, known = ProtectionSpace(challenge), spaces.get(proxy.key)
    if known is None or (known[0].realm, known[0].nonce) != (space.realm, space.nonce):
        spaces[proxy.key] = space, count(1)  # else its count goes on
    return True


def answer(known: Space, proxy: Proxy, method: str, target: str, content_hash: bytes) -> str:
    """The value of Proxy-Authorization for one request to `proxy`."""
    space, numbers = known
    return space.credentials(
        *proxy.login, method, target, count=next(numbers), content_hash=content_hash
    )


async def by_socks(
    stream: Stream,
    proxy: Proxy,
    host: str,
    port: int,
    deadline: float | None,
    look_up: "Callable[[str, int], Awaitable[list[tuple[Any, ...]]]]",
    untried: Untried,
) -> None:
    """The same by SOCKS. Names are looked up here, unless the proxy's scheme says there.

    A connection to the proxy is good for one address: those that it has not refused are in
    `untried`, for the next connection.

    Raises:
        ProxyError: if it `has_others`, there is another address to be tried.
    """
    from gofer.protocols.socks import Refused, greet_5, request_4, request_5

    where = f"asking {proxy} for a tunnel to {authority(host, port)}"
    username, password = proxy.login
    is_version_5 = proxy.scheme.startswith("socks5")
    others: list[tuple[Any, ...]] = []
    try:
        if is_version_5:
            await _shake_hands(greet_5(username, password), stream, deadline)
        if proxy.scheme in ("socks4", "socks5"):
            known = proxy.key, host, port
            if known not in untried:
                addresses = [address for _, address in await look_up(host, port)]
                if not is_version_5:  # it has words for IPv4 only
                    addresses = [one for one in addresses if ":" not in one[0]] or addresses[:1]
                untried[known] = addresses
            others = untried[known]
            name, (host, port, *_) = host, others[0]
            if name != host:
                where += f" at {authority(host, port)}"
        request = request_5 if is_version_5 else partial(request_4, username=username)
        await _shake_hands(request(host, port), stream, deadline)
    except ProxyError as exc:
        error = ProxyError(f"{where}: {exc}")
        if isinstance(exc, Refused) and exc.may_be_the_address:
            del others[:1]
            error.has_others = bool(others)
        raise error from exc
    except (RequestException, TimedOut):
        raise
    except OSError as exc:
        raise ProxyError(f"{where}: {exc.strerror or exc}") from exc


async def _shake_hands(handshake: "Handshake", stream: Stream, deadline: float | None) -> None:
    """Send what `handshake` wants sent and read what it wants read, not a byte more."""
    received = None
    while True:
        try:
            to_send, wanted = handshake.send(received)  # type: ignore[arg-type]
        except StopIteration:
            return
        if to_send:
            await stream.send(to_send, deadline)
        received = b""
        while len(received) < wanted:
            piece = await stream.receive(wanted - len(received), deadline)
            if not piece:
                raise ProxyError(f"it closed the connection after {len(received)} bytes")
            received += piece


def _refusal(response: "ConnectResponse", target: str, proxy: Proxy) -> TunnelRefused:
    """What the proxy answered, in few and harmless bytes; its content is not looked at."""
    reason = f" {response.reason[:40]!r}" if response.reason else ""
    hint = ""
    if response.status == 407:
        known = "its URL has no credentials" if proxy.authorization is None else "credentials sent"
        hint = f" ({known})"
    return TunnelRefused(
        f"asking {proxy} for a tunnel to {target}: got {response.status}{reason},"
        f" expected 2xx{hint}",
        status_code=response.status,
        headers=Headers.received(response.fields),
    )
