"""Which way to an origin: direct, through a proxy, over a unix socket; with which TLS.

A `Route` is everything that makes two connections interchangeable: the pool is indexed by it,
and whoever holds one knows how to dial. `choose` decides, from what the caller set and what the
environment says; `Router` remembers the decisions of one session.
"""

import os
from collections.abc import Hashable, Mapping
from typing import Any, Protocol

from gofer.config import has_http2, has_http3
from gofer.exceptions import InvalidSchema, LocalProtocolError
from gofer.messages.hosts import authority
from gofer.messages.url import DEFAULT_PORTS, URL, without_secrets
from gofer.network.environment import Environment
from gofer.network.proxies import Fields, Proxy, choose_proxy

__all__ = ["Route", "Router", "Settings", "choose"]

MAX_ROUTES = 4096  # remembered by a Router; a crawler must not grow without end

HTTP_1_1 = ("http/1.1",)  # protocols by their ALPN names, best first
HTTP_2 = ("h2",)
HTTP_3 = ("h3",)


class Settings(Protocol):
    """What of a session's or a call's settings decides the route."""

    proxies: Any  # a mapping or None: URLs by scheme://host, scheme, all://host, all
    verify: Any  # True or None, False, a path, an ssl.SSLContext
    cert: Any  # a path, (cert, key), (cert, key, password)
    unix_socket: str | None
    source_address: str | tuple[str, int] | None  # an address of this machine, any port or one
    socket_options: tuple[tuple[Any, ...], ...]  # arguments of `setsockopt`
    pins: Mapping[str, tuple[str, ...]] | None  # by host; see `network/pins.py`
    http2: Any  # None or False, True, "prior knowledge"
    http3: Any  # the same
    tls_minimum: str  # "1.2" or "1.3"
    tls_ciphers: str | None
    crl_file: Any  # a path or None
    keep_alive: bool


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


def choose(
    url: URL,
    settings: Settings,
    environment: Environment | None,
    *,
    alpn: tuple[str, ...] = HTTP_1_1,
    server_name: str | None = None,
    proxy_fields: Fields = (),
) -> Route:
    """The route for `url`.

    A unix socket leaves no room for a proxy. REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE count only
    where the caller did not say whom to trust (`verify` is True or None).

    Args:
        environment: None if the session does not trust it.
        proxy_fields: for the last proxy, beside its credentials.

    Raises:
        InvalidSchema, InvalidProxyURL: the proxy cannot be used.
        OSError: a certificate file that is not there.
    """
    if url.scheme not in DEFAULT_PORTS:
        raise InvalidSchema(
            f"No connection adapters were found for {without_secrets(url.href)[:40]!r}:"
            " the scheme is not http or https"
        )
    unix_path = settings.unix_socket
    proxy = None
    if unix_path is None:
        proxy_url = choose_proxy(url, settings.proxies or {}, environment)
        proxy = None if proxy_url is None else Proxy.of(proxy_url).with_fields(proxy_fields)
    has_proxies = any((settings.proxies or {}).values()) or (
        environment is not None and bool(environment.proxies)
    )

    verify = settings.verify
    default_trust = None
    if environment is not None:
        default_trust = (environment.ssl_cert_file, environment.ssl_cert_dir)
        if verify is True or verify is None:
            verify = environment.ca_bundle or True
    return Route(
        url.origin,
        proxy=proxy,
        verify=verify,
        default_trust=default_trust,
        cert=settings.cert,
        alpn=alpn,
        unix_path=unix_path,
        source_address=_source_address(settings.source_address),
        socket_options=settings.socket_options,
        server_name=server_name,
        pins=_pins(url, settings.pins),
        tls_rules=tls_rules(settings, verify),
        http3=_http3(settings, url, verify, proxy),
        bypasses_proxies=has_proxies and proxy is None,
    )


def tls_rules(settings: Settings, verify: Any) -> tuple[str | None, ...]:
    """What is asked of TLS beside trust: oldest version, ciphers, path of revoked certificates.

    () if nothing is.

    Raises:
        LocalProtocolError: it contradicts `verify`: a context is its owner's business, and where no
            certificate is looked at none can be a revoked one.
    """
    has_context = hasattr(verify, "wrap_bio")
    if has_context and settings.cert is not None:
        raise LocalProtocolError(
            "cert: expected it to be loaded into the SSLContext that verify is (load_cert_chain)"
        )
    minimum = None if settings.tls_minimum == "1.2" else settings.tls_minimum
    ciphers, crl_file = settings.tls_ciphers, settings.crl_file
    if minimum is None and ciphers is None and crl_file is None:
        return ()
    if has_context:
        raise LocalProtocolError(
            "config tls_minimum, tls_ciphers or crl_file: expected them to be set in the"
            " SSLContext that verify is"
        )
    if verify is False and crl_file is not None:
        raise LocalProtocolError(
            "config crl_file: with verify=False no certificate is checked, expected verify=True, or"
            " the path of the authority's certificate"
        )
    return minimum, ciphers, None if crl_file is None else os.path.abspath(crl_file)


def protocols(settings: Settings, scheme: str) -> tuple[str, ...]:
    """The protocols to speak, by their ALPN names, best first (RFC 7301; RFC 9113, 3).

    HTTP/2 lives by sharing connections, so who keeps none does not speak it unless nothing else
    will do.
    """
    wanted = settings.http2
    if wanted == "prior knowledge":
        return HTTP_2
    if wanted is False or not settings.keep_alive:
        return HTTP_1_1
    # Without TLS there is no ALPN to choose by, and every server speaks HTTP/1.1.
    return (*HTTP_2, *HTTP_1_1) if scheme == "https" and has_http2() else HTTP_1_1


def _http3(settings: Settings, url: URL, verify: Any, proxy: Proxy | None) -> bool | None:
    """`Route.http3`.

    Raises:
        LocalProtocolError: nothing but HTTP/3 will do, and there is no way by it.
    """
    wanted = settings.http3
    is_insisted = wanted == "prior knowledge"
    if wanted is False or not (settings.keep_alive or is_insisted):  # as for HTTP/2
        return False
    obstacle = None
    if url.scheme != "https":
        obstacle = "it is for https only"
    elif proxy is not None:
        obstacle = "there is a proxy in the way"
    elif settings.unix_socket is not None:
        obstacle = "there is a unix socket in the way"
    elif hasattr(verify, "wrap_bio"):
        obstacle = "QUIC cannot use an SSLContext: give verify=True, or the path of certificates"
    elif settings.crl_file is not None:
        obstacle = "QUIC cannot ask crl_file"
    if is_insisted:
        if obstacle is not None:
            raise LocalProtocolError(f"{url.authority}: HTTP/3 by prior knowledge: {obstacle}")
        return True
    return None if obstacle is None and has_http3() else False


def _pins(url: URL, pins: Mapping[str, tuple[str, ...]] | None) -> tuple[str, ...]:
    if not pins or url.scheme != "https":
        return ()
    from gofer.network.pins import pins_for

    return pins_for(url.host, url.port, pins)


def _source_address(given: str | tuple[str, int] | None) -> tuple[str, int] | None:
    """Address and port to connect from, hashable; port 0 is any."""
    if given is None:
        return None
    if isinstance(given, str):
        return given, 0
    address, port = given
    return address, port


class Router:
    """The routes of one session: an origin's is decided once, until something changes.

    Settings do not change once made, but for the proxies dict, which users edit in place; that
    and a changed environment are noticed here. Safe to share between threads: what is remembered
    is replaced as a whole.
    """

    __slots__ = ("_memory", "_proxy_fields", "_server_name", "_settings")

    def __init__(
        self, settings: Settings, *, server_name: str | None = None, proxy_fields: Fields = ()
    ) -> None:
        self._settings = settings
        self._proxy_fields = proxy_fields
        self._server_name = server_name
        self._memory: _Memory | None = None

    def route(self, url: URL, environment: Environment | None) -> Route:
        """The route for `url`; the same object as last time if nothing has changed.

        Args:
            environment: as read for this call; None if it is not to be trusted.

        Raises:
            InvalidSchema, InvalidProxyURL, OSError: as `choose`.
        """
        settings = self._settings
        memory = self._memory
        if (
            memory is None
            or memory.environment is not environment
            or memory.proxies != settings.proxies
        ):
            memory = self._memory = _Memory(environment, settings.proxies)
        routes = memory.routes
        route = None if memory.asks else routes.get(url.origin)
        if route is None:
            alpn = protocols(settings, url.scheme)
            route = choose(
                url, settings, environment, alpn=alpn, server_name=self._server_name,
                proxy_fields=self._proxy_fields,
            )  # fmt: skip
            if len(routes) >= MAX_ROUTES:
                routes.clear()
            routes[url.origin] = route
        return route

    def __repr__(self) -> str:
        known = 0 if self._memory is None else len(self._memory.routes)
        return f"<Router {known} routes>"


class _Memory:
    """Routes, and what they were decided from that may change."""

    __slots__ = ("asks", "environment", "proxies", "routes")

    def __init__(self, environment: Environment | None, proxies: Mapping[str, Any] | None) -> None:
        self.environment = environment
        self.proxies = None if proxies is None else dict(proxies)  # the caller edits theirs
        for key, value in (proxies or {}).items():
            if isinstance(value, list):
                self.proxies[key] = list(value)  # type: ignore[index]
        # A callable is asked for each URL.
        self.asks = any(callable(value) for value in (proxies or {}).values())
        self.routes: dict[tuple[str, str, int], Route] = {}
