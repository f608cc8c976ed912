"""What adapters know connections by: `PoolManager`, `ProxyManager` and `ConnectionPool`.

Adapters are customised by what they hand to these (an `ssl_context`, a `source_address` …) or set
on them (`conn.assert_hostname = False`). They carry such wishes, by urllib3's names, to gofer's
network; no connection is in them. An adapter may use urllib3's own in their place.
"""

from _thread import allocate_lock
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gofer.messages.url import parse

__all__ = ["ConnectionPool", "PoolManager", "ProxyManager"]

MAX_POOLS = 1024  # remembered by a manager; a crawler must not grow without end

# What can be asked for, by urllib3's names.
WISHES = (
    "assert_fingerprint", "assert_hostname", "ca_cert_dir", "ca_certs", "cert_file", "cert_reqs",
    "ciphers", "key_file", "key_password", "server_hostname", "socket_options", "source_address",
    "ssl_context", "ssl_maximum_version", "ssl_minimum_version", "ssl_version",
)  # fmt: skip

# Meant for a pool of urllib3's; gofer's takes its limits from the adapter.
_LIMITS = frozenset(
    ("block", "blocksize", "headers", "maxsize", "num_pools", "proxy_headers", "retries", "strict",
     "timeout")
)  # fmt: skip


class ConnectionPool:
    """What an adapter wants of its connections to one origin, by urllib3's names.

    Attributes:
        proxy_headers: for the proxy alone; the dict of the `ProxyManager`.
    """

    proxy_headers: Mapping[Any, Any] = MappingProxyType({})

    def __init__(self, scheme: str, host: str, port: int | None, wishes: Mapping[str, Any]) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self._made: dict[Any, Any] = {}  # contexts, by what they were made from
        for name in WISHES:
            setattr(self, name, wishes.get(name))

    def verify(self) -> Any:
        """Whom to trust, as `Session.verify` takes it: a context where only that can say it."""
        if self.ssl_context is not None:
            self._load_cert(self.ssl_context)
            return self.ssl_context
        needs_no_certificate = self.cert_reqs in ("CERT_NONE", "NONE", 0)
        verify = False if needs_no_certificate else self.ca_certs or self.ca_cert_dir or True
        wishes = (
            self.ciphers, self.ssl_version, self.ssl_minimum_version, self.ssl_maximum_version,
            self.assert_hostname is False,
        )  # fmt: skip
        if not any(wishes):
            return verify
        key = verify, self.cert(), wishes
        if key not in self._made:
            self._made[key] = self._new_context(verify)
        return self._made[key]

    def cert(self) -> Any:
        """The client certificate, as `Session.cert` takes it."""
        if self.cert_file is None:
            return None
        parts = (self.cert_file, self.key_file, self.key_password)
        return tuple(part for part in parts if part is not None)

    def _load_cert(self, context: Any) -> None:
        """Put the client certificate into somebody's context, once, as urllib3 does."""
        key = context, self.cert()
        if self.cert_file is not None and key not in self._made:
            from gofer.network.trust import load_client_certificate

            load_client_certificate(context, self.cert())
            self._made[key] = context

    def server_name(self) -> str | None:
        """The name that TLS asks for and the certificate must have; None: the origin's host."""
        return self.server_hostname or (self.assert_hostname or None)

    def options(self) -> tuple[tuple[Any, ...], ...]:
        """The options of a socket, as `Session.socket_options` takes them."""
        return tuple(tuple(option) for option in self.socket_options or ())

    def proxy_fields(self) -> tuple[tuple[str, str], ...]:
        """The fields for the proxy, as routes take them."""
        return tuple((_text(name), _text(value)) for name, value in self.proxy_headers.items())

    def pins(self) -> Any:
        """The certificate that the server must show, as a session keeps it."""
        if not self.assert_fingerprint:
            return None
        from gofer.network.pins import check_pins

        return check_pins(self.assert_fingerprint)

    def _new_context(self, verify: Any) -> Any:
        from ssl import PROTOCOL_TLS, PROTOCOL_TLS_CLIENT, TLSVersion

        from gofer.network.trust import new_context

        context = new_context(verify, self.cert())
        if self.assert_hostname is False:
            context.check_hostname = False
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        if self.ssl_version not in (None, PROTOCOL_TLS, PROTOCOL_TLS_CLIENT):
            # ssl.PROTOCOL_TLSv1_2 and its like: this version and no other.
            version = TLSVersion[self.ssl_version.name.removeprefix("PROTOCOL_")]
            context.minimum_version = context.maximum_version = version
        if self.ssl_minimum_version is not None:
            context.minimum_version = self.ssl_minimum_version
        if self.ssl_maximum_version is not None:
            context.maximum_version = self.ssl_maximum_version
        return context

    def close(self) -> None:
        """Has nothing to close."""

    def __getattr__(self, name: str) -> Any:
        if name in WISHES:
            return None
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"<ConnectionPool {self.scheme}://{self.host}:{self.port}>"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class PoolManager:
    """The wishes of an adapter, and of each origin it goes to.

    Attributes:
        connection_pool_kw: dict of wishes for every origin; may be changed.
        pools: dict of the `ConnectionPool`s made so far.

    Raises:
        TypeError: a wish that gofer's connections know nothing of.
    """

    def __init__(
        self, num_pools: int = 10, headers: Mapping[str, str] | None = None, **wishes: Any
    ) -> None:
        unknown = wishes.keys() - {*WISHES, *_LIMITS}
        if unknown:
            raise TypeError(
                f"init_poolmanager(): {', '.join(sorted(unknown))} unknown; expected"
                f" {', '.join(WISHES)}"
            )
        self.num_pools = num_pools
        self.headers = dict(headers or {})
        self.connection_pool_kw = wishes
        self.pools: dict[Any, ConnectionPool] = {}
        self._lock = allocate_lock()

    def connection_from_host(
        self,
        host: str,
        port: int | None = None,
        scheme: str | None = "http",
        pool_kwargs: Mapping[str, Any] | None = None,
    ) -> ConnectionPool:
        """The pool for an origin; `pool_kwargs` are over this manager's own wishes."""
        wishes = {**self.connection_pool_kw, **(pool_kwargs or {})}
        key = (
            scheme, host, port,
            *(repr(wishes[name]) for name in WISHES if wishes.get(name) is not None),
        )  # fmt: skip
        with self._lock:
            pool = self.pools.get(key)
            if pool is None:
                if len(self.pools) >= MAX_POOLS:
                    self.pools.clear()
                pool = self.pools[key] = ConnectionPool(scheme or "http", host, port, wishes)
        return pool

    def connection_from_url(
        self, url: str, pool_kwargs: Mapping[str, Any] | None = None
    ) -> ConnectionPool:
        """The pool for the origin of `url`."""
        target = parse(url)
        return self.connection_from_host(target.host, target.port, target.scheme, pool_kwargs)

    def clear(self) -> None:
        """Forget the pools."""
        self.pools.clear()


class ProxyManager(PoolManager):
    """The wishes for connections through one proxy."""

    def __init__(
        self, proxy_url: str, num_pools: int = 10, proxy_headers: Any = None, **wishes: Any
    ) -> None:
        super().__init__(num_pools, **wishes)
        self.proxy_url = proxy_url
        self.proxy_headers = dict(proxy_headers or {})

    def connection_from_host(self, *args: Any, **kwargs: Any) -> ConnectionPool:
        """As `PoolManager`; it knows what is for the proxy."""
        pool = super().connection_from_host(*args, **kwargs)
        pool.proxy_headers = self.proxy_headers
        return pool
