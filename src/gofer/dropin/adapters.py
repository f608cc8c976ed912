"""Requests' `adapters` module: what `Session.mount` takes.

A session that nobody looked at the adapters of sends on its own network and never comes here.
`HTTPAdapter.send` asks each method that subclasses are known to replace, and then sends by gofer's
network; a connection of urllib3's that one of them returns is used as it is.
"""

import sys
from _weakref import ref
from typing import Any

from gofer import sessions
from gofer.config import RESPONSE, default_of, defaults
from gofer.dropin.connection_pools import ConnectionPool, PoolManager, ProxyManager
from gofer.dropin.deciding import Decided, decide
from gofer.dropin.models import Response
from gofer.dropin.replaced import watches
from gofer.exceptions import InvalidURL
from gofer.messages.raw import RawContent
from gofer.messages.url import parse
from gofer.network.endings import when_dropped
from gofer.network.exchange import Network
from gofer.network.pool import Pool, PoolLimits
from gofer.network.proxies import choose_proxy, key_of, proxy_headers
from gofer.network.router import Router
from gofer.protocols.http1 import Limits
from gofer.runtime.blocking import runtime
from gofer.stages import fold
from gofer.stages.retries import policy_from, retries
from gofer.timeouts import Timeouts, timeouts_from

__all__ = ["BaseAdapter", "HTTPAdapter"]

DEFAULT_POOLBLOCK = False
DEFAULT_POOLSIZE = 10
DEFAULT_RETRIES = 0
DEFAULT_POOL_TIMEOUT = None


class BaseAdapter:
    """What sends a `PreparedRequest` and returns a `Response`."""

    def __init__(self) -> None:
        super().__init__()

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Any:
        """Send `request`; see `HTTPAdapter.send`."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is held."""
        raise NotImplementedError


class HTTPAdapter(BaseAdapter):
    """Sends over HTTP with connections of its own.

    Args:
        pool_connections: origins whose idle connections are kept.
        pool_maxsize: idle connections kept per origin; with `pool_block` also the most open.
        max_retries: new tries to connect, or a `Retry`.
        pool_block: wait for a connection rather than open more than `pool_maxsize`.
    """

    __attrs__ = ["max_retries", "config", "_pool_connections", "_pool_maxsize", "_pool_block"]

    _session: Any = None  # a weak one, for the adapter that stands for a session's own network

    def __init__(
        self,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        max_retries: Any = DEFAULT_RETRIES,
        pool_block: bool = DEFAULT_POOLBLOCK,
    ) -> None:
        policy_from(max_retries)  # complain early
        self.max_retries = in_words_of_urllib3(max_retries)
        self.config: dict[str, Any] = {}
        self.proxy_manager: dict[str, Any] = {}
        super().__init__()
        self._pool_connections = pool_connections
        self._pool_maxsize = pool_maxsize
        self._pool_block = pool_block
        self._network: Network | None = None
        self.init_poolmanager(pool_connections, pool_maxsize, block=pool_block)

    @classmethod
    def _default_of(cls, session: Any) -> "HTTPAdapter":
        """The adapter that stands for a session's own network."""
        config = session._config_
        adapter = cls(config["pool_connections"], config["pool_maxsize"], config["max_retries"])
        adapter._session = ref(session)
        return adapter

    # What subclasses replace ----------------------------------------------------------------------

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **pool_kwargs: Any
    ) -> None:
        """Make `poolmanager`. A subclass adds what it wants of every connection: `ssl_context`,
        `ssl_version`, `source_address`, `assert_hostname` …, by urllib3's names."""
        self._pool_connections = connections
        self._pool_maxsize = maxsize
        self._pool_block = block
        self.poolmanager: Any = PoolManager(
            connections, maxsize=maxsize, block=block, **pool_kwargs
        )

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """The manager for connections through the proxy with that URL."""
        manager = self.proxy_manager.get(proxy)
        if manager is None:
            wishes = {
                **getattr(self.poolmanager, "connection_pool_kw", {}),
                "proxy_headers": self.proxy_headers(proxy), **proxy_kwargs,
            }  # fmt: skip
            manager = self.proxy_manager[proxy] = ProxyManager(
                proxy, self._pool_connections, **wishes
            )
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Tell `conn`, made for `url`, whom to trust and what certificate to show."""
        if url.lower().startswith("https") and verify:
            conn.cert_reqs = "CERT_REQUIRED"
            if verify is not True and not hasattr(verify, "wrap_bio"):
                _put_trust(conn, verify)
        else:
            conn.cert_reqs = "CERT_NONE"
            conn.ca_certs = conn.ca_cert_dir = None
        if cert:
            parts = (cert,) if isinstance(cert, str) else tuple(cert)
            conn.cert_file, conn.key_file, *_ = (*parts, None)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What decides which connections `request` may use: of its origin, and of its TLS."""
        target = request.url_parsed
        wishes: dict[str, Any] = {"cert_reqs": "CERT_NONE" if verify is False else "CERT_REQUIRED"}
        if hasattr(verify, "wrap_bio"):
            wishes["ssl_context"] = verify
        elif verify and verify is not True:
            from os.path import isdir

            wishes["ca_cert_dir" if isdir(verify) else "ca_certs"] = verify
        if cert is not None:
            parts = (cert,) if isinstance(cert, str) else tuple(cert)
            names = ("cert_file", "key_file", "key_password")
            wishes.update(zip(names, parts, strict=False))
        return {"scheme": target.scheme, "host": target.host, "port": target.port}, wishes

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """The `ConnectionPool` that `request` is sent by, or one of urllib3's."""
        origin, wishes = self.build_connection_pool_key_attributes(request, verify, cert)
        return self._manager(request.url, proxies).connection_from_host(
            **origin, pool_kwargs=wishes
        )

    def get_connection(self, url: str, proxies: Any = None) -> Any:
        """The `ConnectionPool` for `url`. Deprecated: it is not told whom to trust."""
        import warnings

        warnings.warn(
            "get_connection() is not told whom to trust: replace or call"
            " get_connection_with_tls_context()",
            DeprecationWarning,
            stacklevel=2,
        )
        return self._manager(url, proxies).connection_from_url(url)

    def _manager(self, url: str, proxies: Any) -> Any:
        proxy = _last(choose_proxy(parse(url), proxies, None)) if proxies else None
        return self.poolmanager if proxy is None else self.proxy_manager_for(proxy)

    def request_url(self, request: Any, proxies: Any) -> str:
        """The request target: the path, or all of the URL for a proxy that forwards."""
        target = request.url_parsed
        proxy = _last(choose_proxy(target, proxies, None)) if proxies else None
        if proxy is None or target.scheme == "https" or proxy.lower().startswith("socks"):
            return request.path_url  # type: ignore[no-any-return]
        return str(target.absolute, "ascii")

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        """Add fields to `request` just before it is sent; does nothing, for subclasses."""

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """The fields that are for the proxy with that URL alone."""
        return proxy_headers(proxy)

    def build_response(self, req: Any, resp: Any) -> Response:
        """The `Response` to `req`, from `resp`: gofer's raw content, or urllib3's response."""
        if isinstance(resp, RawContent) and isinstance(resp._response, Response):
            response = resp._response
        else:
            from gofer.dropin.urllib3_pools import response_from

            response = response_from(req, resp)
        response.request = req
        response.connection = self
        return response

    # Sending --------------------------------------------------------------------------------------

    @property
    def network(self) -> Network:
        """The connections it sends by: its own, or those of the session it stands for."""
        session = None if self._session is None else self._session()
        if session is not None:
            return (session._road_ or session._make_road_()).network  # type: ignore[no-any-return]
        if self._network is None:
            pool_limits = PoolLimits(
                self._pool_connections,
                self._pool_maxsize,
                default_of("idle_seconds"),
                self._pool_maxsize if self._pool_block else None,
            )
            limits = Limits(**defaults.all_of(RESPONSE))
            self._network = Network(runtime, limits, Pool(runtime, pool_limits))
            when_dropped(self, self._network.pool.abandon)  # for those who never call close()
        return self._network

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Any:
        """Send one prepared request, without redirects, cookies or auth.

        Args:
            stream: of no effect here: content is read when it is asked for, or by the session.
            timeout: seconds, (connect, read), or `Timeouts`.

        Raises:
            RequestException: and its subclasses, each with `.request`.
            OSError: a certificate file that is not there.
        """
        if proxies and not isinstance(proxies, Decided):
            proxies = decide(request.url_parsed, proxies, None)  # who chooses is asked once
        try:
            conn = self.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        except InvalidURL as error:
            error.request = request
            raise
        self.cert_verify(conn, request.url, verify, cert)
        target = self.request_url(request, proxies)
        arguments = {"stream": stream, "timeout": timeout, "verify": verify, "cert": cert}
        self.add_headers(request, **arguments, proxies=proxies)
        if not isinstance(conn, ConnectionPool):
            from gofer.dropin.urllib3_pools import send

            return self.build_response(
                request, send(conn, request, target, timeout, self.max_retries)
            )
        self._settle(request, conn, timeout, proxies)
        network = self.network
        response = network.runtime.run(fold([retries(network.runtime)], network.send)(request))
        response.connection = self
        if getattr(self.build_response, "__func__", None) is not _build_response:
            return self.build_response(request, response.raw)
        return response

    def _settle(self, request: Any, conn: ConnectionPool, timeout: Any, proxies: Any) -> None:
        """Give `request` the settings that the adapter's wishes come to."""
        settings = request.settings
        if settings is None:
            settings = sessions.Session()._settings_now_()
        timeouts = settings.timeouts
        if timeout is not None:
            timeouts = timeouts_from(timeout, Timeouts())
        # The choice is made: what else the environment says does not count.
        target = request.url_parsed
        proxies = dict(proxies or {})
        proxies[key_of(target)] = choose_proxy(target, proxies, None)
        verify = conn.verify()
        settings = settings.replace(
            timeouts=timeouts,
            verify=verify,
            cert=None if hasattr(verify, "wrap_bio") else conn.cert(),  # it is in there
            proxies=proxies,
            max_retries=self.max_retries,
            source_address=conn.source_address or settings.source_address,
            socket_options=conn.options() or settings.socket_options,
            pins=conn.pins() or settings.pins,
        )
        settings.router = Router(
            settings, server_name=conn.server_name(), proxy_fields=conn.proxy_fields()
        )
        request.settings = settings

    # Its life -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close idle connections."""
        if self._network is not None:
            self._network.pool.close()
        self.poolmanager.clear()
        for manager in self.proxy_manager.values():
            manager.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name, None) for name in self.__attrs__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._network = None
        self.proxy_manager = {}
        self.config = {}
        for name, value in state.items():
            setattr(self, name, value)
        self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)


def in_words_of_urllib3(max_retries: Any) -> Any:
    """`max_retries` as programs and mocking libraries expect to find it: never a bare number."""
    if not isinstance(max_retries, int):
        return max_retries
    if "urllib3" in sys.modules:
        from gofer.packages.urllib3.util.retry import Retry  # type: ignore[import-not-found]
    else:
        from gofer.dropin.urllib3_face.util.retry import Retry

    return Retry(int(max_retries), read=False, status=0)


def _last(chosen: Any) -> Any:
    """Of a chain of proxies, the one that is asked for the origin."""
    return chosen[-1] if isinstance(chosen, list | tuple) and chosen else chosen


def _put_trust(conn: Any, path: Any) -> None:
    """Trust the certificates in a file or a directory.

    Raises:
        OSError: there is none.
    """
    from os.path import exists, isdir

    if not exists(path):
        raise OSError(f"Could not find a suitable TLS CA certificate bundle, invalid path: {path}")
    if isdir(path):
        conn.ca_cert_dir = path
    else:
        conn.ca_certs = path


_build_response = HTTPAdapter.build_response
_send = HTTPAdapter.send


def _is_replaced() -> bool:
    return HTTPAdapter.send is not _send


watches.append(_is_replaced)
