"""A way to an origin: direct, through a proxy, over a unix socket; with which TLS.

A `Route` is everything that makes two connections interchangeable: the pool is indexed by it,
and whoever holds one knows how to dial. Which one a URL takes is decided in `router.py`.
"""

from collections.abc import Hashable
from typing import Any

from gofer.messages.hosts import authority
from gofer.network.proxies import Proxy

__all__ = ["HTTP_1_1", "HTTP_2", "HTTP_3", "Route", "server_hostname"]

HTTP_1_1 = ("http/1.1",)  # protocols by their ALPN names, best first
HTTP_2 = ("h2",)
HTTP_3 = ("h3",)


class Route:
    """The way to an origin: equal routes mean interchangeable connections. Immutable.

    The key holds what the bytes of a connection depend on and nothing else: verification counts
    only where there is TLS, and a plain http request that a proxy forwards can share its
    connection with those to any other origin. A password or a client certificate that changes
    makes another route (CVE-2024-35195 is what happens otherwise).

    Attributes:
        key: the hashable identity.
        way: what of it other origins have too, if all that differs is whom one talks to.
        origin: scheme, host and port.
        is_tls: the origin is spoken to over TLS.
        is_forwarding: the proxy gets the request itself: absolute-form, Proxy-Authorization.
        is_tunnel: the proxy is asked for a tunnel, by CONNECT or SOCKS, and sees nothing else.
        verify, cert: whom to trust and what to show, with the environment already weighed in.
        alpn: the protocols to speak, best first; over TLS the server chooses.
        may_share: HTTP/2 or HTTP/3 is one of them, so that a connection may be shared.
        http3: whether HTTP/3 is tried: never if False; where the origin said so if None; always,
            and nothing else, if True.
        is_http3: this is the way by HTTP/3.
        is_only_way: there is no other if this one fails.
        target: host and port to connect to by HTTP/3.
        server_hostname: the name in TLS: no trailing dot (RFC 6066, 3), no IPv6 zone.
        is_plain: there is neither a proxy on it nor HTTP/3 to be thought of.
        may_meet_proxies: none is known, and TLS does not keep one from reading along: what the
            caller has for a proxy may be for one of which only he knows.

    Args:
        tunnels: a proxy is asked for a tunnel in any case.
        bypasses_proxies: there are some, but not on this way.
        default_trust: what decides whom `verify=True` trusts; part of the key only.
        server_name: the name in TLS where it is not the origin's host.
        pins: certificates or keys, one of which the origin has to show.
        tls_rules: what else is asked of TLS, see `tls_rules`; part of the key where there is any.
        target: the way is by HTTP/3, to there.
    """

    __slots__ = (
        "_authorized",
        "_by_http1",
        "_by_http3",
        "_hash",
        "_options",
        "alpn",
        "cert",
        "host",
        "http3",
        "is_forwarding",
        "is_http3",
        "is_only_way",
        "is_plain",
        "is_tls",
        "is_tunnel",
        "key",
        "may_meet_proxies",
        "may_share",
        "origin",
        "pins",
        "port",
        "proxy",
        "scheme",
        "server_hostname",
        "socket_options",
        "source_address",
        "target",
        "tls_rules",
        "unix_path",
        "verify",
        "way",
    )

    def __init__(
        self,
        origin: tuple[str, str, int],
        *,
        proxy: Proxy | None = None,
        verify: Any = True,
        default_trust: Hashable = None,
        cert: Any = None,
        alpn: tuple[str, ...] = HTTP_1_1,
        unix_path: str | None = None,
        source_address: tuple[str, int] | None = None,
        socket_options: tuple[tuple[Any, ...], ...] = (),
        server_name: str | None = None,
        pins: tuple[str, ...] = (),
        tls_rules: tuple[str | None, ...] = (),
        http3: bool | None = False,
        target: tuple[str, int] | None = None,
        tunnels: bool = False,
        bypasses_proxies: bool = False,
    ) -> None:
        self.origin = origin
        self.scheme, self.host, self.port = origin
        self.proxy = proxy
        self.verify = True if verify is None else verify
        self.cert = cert
        self.unix_path = unix_path
        self.source_address = source_address
        self.socket_options = socket_options
        self.pins = pins
        self.tls_rules = tls_rules
        self.is_tls = self.scheme == "https"
        is_socks = proxy is not None and proxy.is_socks
        self.is_tunnel = proxy is not None and (self.is_tls or is_socks or tunnels)
        self.is_forwarding = proxy is not None and not self.is_tunnel
        self.is_http3 = target is not None
        self.target = target or (self.host, self.port)
        self.is_only_way = http3 is True
        self.http3 = http3
        self.is_plain = proxy is None and http3 is False
        self.may_meet_proxies = proxy is None and not (self.is_tls or bypasses_proxies)
        self.alpn = HTTP_3 if self.is_http3 else HTTP_1_1 if self.is_forwarding else alpn
        self.may_share = self.is_http3 or "h2" in self.alpn
        self.server_hostname = server_hostname(self.host) if server_name is None else server_name

        self.way: Hashable = (
            None if proxy is None else proxy.key,
            self._tls_key(default_trust),
            unix_path,
            source_address,
            server_name,
            self.alpn,
            socket_options,
            target,
        )
        self.key: Hashable = (None if self.is_forwarding else origin, pins, self.way)
        self._hash = hash(self.key)
        self._authorized: tuple[str, Route] | None = None
        self._by_http1: Route | None = None
        self._by_http3: Route | None = None
        self._options = default_trust, server_name  # for another route to the same origin

    def by_http3(self, target: tuple[str, int]) -> "Route":
        """The way to the same origin by HTTP/3, at `target`."""
        route = self._by_http3
        if route is None or route.target != target:
            route = self._by_http3 = self._other(http3=self.http3, target=target)
        return route

    def by_http1(self) -> "Route":
        """The way to the same origin by HTTP/1.1 alone, and through no proxy that has a say in it.

        That is how a connection can be given over to another protocol (RFC 6455, 4.1).
        """
        if not (self.may_share or self.is_forwarding):
            return self
        route = self._by_http1
        if route is None:
            route = self._by_http1 = self._other(
                proxy=self.proxy, unix_path=self.unix_path, tunnels=True
            )
        return route

    def authorized(self, authorization: str) -> "Route":
        """The same way, for somebody with credentials of his own for the proxy.

        It is another route: a tunnel made with one user's credentials serves no other user.
        """
        if self.proxy is None or self.proxy.is_socks or self.proxy.is_authorized:
            return self
        known = self._authorized
        if known is None or known[0] != authorization:
            route = self._other(
                proxy=self.proxy.showing(authorization), alpn=self.alpn, tunnels=self.is_tunnel
            )
            known = self._authorized = authorization, route
        return known[1]

    def _other(self, **options: Any) -> "Route":
        default_trust, server_name = self._options
        return Route(
            self.origin,
            verify=self.verify,
            default_trust=default_trust,
            cert=self.cert,
            source_address=self.source_address,
            socket_options=self.socket_options,
            server_name=server_name,
            pins=self.pins,
            tls_rules=self.tls_rules,
            bypasses_proxies=not self.may_meet_proxies,
            **options,
        )

    def _tls_key(self, default_trust: Hashable) -> Hashable:
        has_tls_to_proxy = any(proxy.scheme == "https" for proxy in self.proxies)
        if not self.is_tls and not has_tls_to_proxy:
            return None
        from gofer.network.trust import identity

        # The client certificate is shown to the origin, never to the proxy.
        cert = self.cert if self.is_tls else None
        trust = default_trust if self.verify is True else None
        return identity(self.verify, cert), trust, self.tls_rules

    @property
    def proxies(self) -> list[Proxy]:
        """All of them, in the order from here to the origin."""
        proxies = []
        proxy = self.proxy
        while proxy is not None:
            proxies.append(proxy)
            proxy = proxy.via
        return proxies[::-1]

    @property
    def authority(self) -> str:
        """host:port of the origin, for messages."""
        return authority(self.host, self.port)

    @property
    def peer(self) -> str:
        """Whom a connection leads to, for messages. A proxy that forwards leads to everybody."""
        if self.is_forwarding:
            return f"the proxy {self.proxy}"
        origin = f"{self.host}:{self.port}"
        return origin if self.proxy is None else f"{origin} via {self.proxy}"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Route):
            return NotImplemented
        return self._hash == other._hash and self.key == other.key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        way = f"<Route {self.scheme}://{self.authority}"
        if self.is_http3:
            way += f" by HTTP/3 at {authority(*self.target)}"
        if self.proxy is not None:
            way += f" via {self.proxy}"
        if self.unix_path is not None:
            way += f" over {self.unix_path}"
        if self.source_address is not None:
            way += f" from {authority(*self.source_address)}"
        if self.is_tls and self.verify is False:
            way += " unverified"
        return way + ">"


def server_hostname(host: str) -> str:
    """`host` as TLS names it: no trailing dot (RFC 6066, 3), no IPv6 zone."""
    return host.partition("%")[0] if ":" in host else host.removesuffix(".")
