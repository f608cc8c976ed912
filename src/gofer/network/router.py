"""Which route a URL takes: by what the caller set, and what the environment says.

`choose` decides; `Router` remembers the decisions of one session.
"""

import os
from collections.abc import Mapping
from typing import Any, Protocol

from gofer.config import has_http2, has_http3
from gofer.exceptions import InvalidSchema, LocalProtocolError
from gofer.messages.url import DEFAULT_PORTS, URL, without_secrets
from gofer.network.environment import Environment
from gofer.network.proxies import Fields, Proxy, choose_proxy
from gofer.network.routes import HTTP_1_1, HTTP_2, Route

__all__ = ["MAX_ROUTES", "Router", "Settings", "choose"]

MAX_ROUTES = 4096  # remembered by a Router; a crawler must not grow without end


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
