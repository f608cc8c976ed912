"""What a session holds: the defaults of its requests, readable and settable, whatever the face.

State: `_settings_` is made from everything else when it is first needed, and forgotten when
something it was made from changes. What changes per request travels in the request.

A session's private names end in an underscore, too: people derive clients from it, as from
Requests' own, that have a `_request`, a `_config` or `_headers` of their own.
"""

import os
from _weakref import ref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gofer import config as configuration
from gofer.codings import accept_encoding
from gofer.config import POOL, REQUEST, RESPONSE, TIMEOUTS, Config, Settings, defaults
from gofer.messages.cookies import CookieStore
from gofer.messages.fields import Headers, given_fields
from gofer.messages.request import check_hooks, default_hooks
from gofer.network.alternatives import Alternatives
from gofer.network.pool import PoolLimits
from gofer.network.router import Router
from gofer.precedence import checked_proxies, default_headers, prefetch_from, proxies_from
from gofer.protocols.http1 import Limits
from gofer.runtime.base import Runtime
from gofer.stages.retries import policy_from
from gofer.timeouts import Timeouts, timeouts_from

if TYPE_CHECKING:
    from gofer.arguments import (
        Auth,
        Cert,
        Cookies,
        Fields,
        Hooks,
        Params,
        Proxies,
        Proxy,
        Timeout,
        Verify,
    )
    from gofer.dropin.cookies import RequestsCookieJar

__all__ = ["SessionState"]

configuration.offered_codings = accept_encoding


class SessionState:
    """The defaults of a session's requests, and what is made of them."""

    __attrs__ = [
        "headers",
        "cookies",
        "auth",
        "proxies",
        "hooks",
        "params",
        "verify",
        "cert",
        "adapters",
        "stream",
        "trust_env",
        "max_redirects",
        "timeout",
        "config",
    ]

    def __init__(
        self,
        headers: "Fields | None" = None,
        cookies: "Cookies | None" = None,
        auth: "Auth | None" = None,
        timeout: "Timeout | None" = None,
        proxies: "Proxies | None" = None,
        hooks: "Hooks | None" = None,
        params: "Params | None" = None,
        config: Mapping[str, Any] | None = None,
        *,
        prefetch: bool | None = None,
        stream: bool | None = None,
        verify: "Verify" = True,
        cert: "Cert | None" = None,
        deadline: float | None = None,
        unix_socket: str | os.PathLike[str] | None = None,
        source_address: str | tuple[str, int] | None = None,
        socket_options: Iterable[tuple[Any, ...]] | None = None,
        resolve: Any = None,
        pins: Any = None,
        runtime: str | None = None,
        proxy: "Proxy | None" = None,
    ) -> None:
        """A new session. Nothing is connected before its first call.

        Args:
            headers, params, cookies, proxies, hooks, config: dicts merged under those of each call;
                None as a value in a call leaves that key out.
            proxy: the URL of the one proxy for everything, a list of them for a chain, or a
                callable; in the place of `proxies`.
            auth: (user, password), an auth object, or any callable that takes and returns a
                request.
            timeout: seconds, a (connect, read) pair, or `Timeouts`.
            prefetch, stream: whether content is read before a call returns; one is the other's
                opposite. By default it is read when it is asked for, and at once with an
                `AsyncSession`.
            deadline: seconds for everything a call does, reading the content included.
            unix_socket: the path of a socket that every request is sent over.
            source_address: an address of this machine to connect from, or (address, port).
            socket_options: [(level, option, value)] for `setsockopt`, before connecting.
            resolve: "https://..." for DNS over HTTPS; or
                {"host:port" or "host": address or addresses}, before the system is asked; or a
                callable that takes host and port and returns a list of addresses, or None.
            pins: certificates' SHA-256 in hexadecimal digits, or "sha256//" and their keys' in
                Base64, one of which an https server must show; {"host": pin or pins} for some
                servers.
            runtime: "gevent" waits in gevent's hub without patching anything (extra `gevent`).
            verify: True, False, a path to certificates, or an `ssl.SSLContext`.
            cert: client certificate: a path, (cert, key) or (cert, key, password); instead of a
                path the text of such a file, as str or bytes.

        Raises:
            ValueError: `prefetch` and `stream` contradict each other, or a value is of no use.
        """
        self._settings_: Settings | None = None
        self._settings_version_ = -1
        self._sent_headers_: Headers | None = None
        self._jar_: Any = None
        self.alternatives = Alternatives()
        self._config_ = Config(config, changed=_forgetting(self))
        self._headers_ = default_headers()
        self._timeout_ = timeout
        self._verify_ = verify
        self._cert_ = cert
        if unix_socket is not None and not isinstance(unix_socket, str | os.PathLike):
            raise TypeError(f"unix_socket: got {type(unix_socket).__name__}, expected a path")
        self._unix_socket_ = None if unix_socket is None else os.fspath(unix_socket)
        if runtime is not None:
            self._choose_runtime_(runtime)
        if source_address is not None and not (
            isinstance(source_address, str)
            or (
                isinstance(source_address, tuple | list)
                and [type(part) for part in source_address] == [str, int]
            )
        ):
            raise TypeError(
                f"source_address: got {source_address!r:.60}, expected an address, or"
                " (address, port)"
            )
        self._source_address_ = source_address
        self._socket_options_: tuple[tuple[Any, ...], ...] = ()
        self._resolve_ = None
        if socket_options is not None or resolve is not None:
            from gofer.network.addresses import check_resolve, checked_options

            self._socket_options_ = checked_options(socket_options)
            self._resolve_ = check_resolve(resolve)
        proxies = proxies_from(proxy, proxies)
        self.pins = pins
        self._proxies_: dict[str, Any] = dict(checked_proxies(proxies)) if proxies else {}
        self._cookie_store_: Any = CookieStore()
        self.auth = auth
        self.params: Any = {} if params is None else params
        self.hooks: dict[str, Any] = default_hooks()
        if hooks:
            self.hooks.update(check_hooks(hooks))
        if headers:
            for name, value in given_fields(headers):
                if value is None:
                    self._headers_.pop(name, None)
                else:
                    self._headers_[name] = value
        if cookies is not None:
            self.cookies = cookies
        if timeout is not None:
            timeouts_from(timeout, Timeouts())  # complain now, not at the first request
        if deadline is not None:
            self._config_["deadline"] = deadline
        prefetch = prefetch_from(prefetch, stream)
        if prefetch is None and "prefetch" not in self._config_:
            prefetch = self._prefetch_default_
        if prefetch is not None:
            self._config_["prefetch"] = prefetch

    # What a session holds, readable and settable ------------------------------------------------

    @property
    def headers(self) -> Headers:
        """Header fields of every request; None as a value leaves a default out."""
        return self._headers_

    @headers.setter
    def headers(self, value: "Fields") -> None:
        self._headers_ = value if isinstance(value, Headers) else Headers(value)

    @property
    def cookies(self) -> "RequestsCookieJar":
        """The cookie jar; a dict or any `http.cookiejar.CookieJar` may be assigned."""
        if self._jar_ is None:
            from gofer.dropin.cookies import RequestsCookieJar

            self._jar_ = RequestsCookieJar.over(self._cookie_store_)
        return self._jar_  # type: ignore[no-any-return]

    @cookies.setter
    def cookies(self, value: "Cookies | None") -> None:
        from gofer.dropin.cookies import RequestsCookieJar, store_for

        self._cookie_store_ = store_for(value)
        if isinstance(self._cookie_store_, CookieStore):
            self._jar_ = value if isinstance(value, RequestsCookieJar) else None
        else:
            self._jar_ = value
        self._forget_settings_()

    @property
    def config(self) -> Config:
        """Settings of this session; reading one that is not set gives the package default."""
        return self._config_

    @config.setter
    def config(self, value: Mapping[str, Any]) -> None:
        self._config_ = Config(value, changed=_forgetting(self))
        self._forget_settings_()

    @property
    def proxies(self) -> dict[str, Any]:
        """Proxy URLs by `scheme://host`, `scheme`, `all://host` or `all`."""
        return self._proxies_

    @proxies.setter
    def proxies(self, value: "Proxies | None") -> None:
        self._proxies_ = value if isinstance(value, dict) else dict(checked_proxies(value or {}))
        self._forget_settings_()

    @property
    def timeout(self) -> "Timeout | None":
        """Seconds, (connect, read), or `Timeouts`; None for what `config` says."""
        return self._timeout_

    @timeout.setter
    def timeout(self, value: "Timeout | None") -> None:
        timeouts_from(value, Timeouts())
        self._timeout_ = value
        self._forget_settings_()

    @property
    def verify(self) -> "Verify":
        """Whom to trust: True, False, a path to certificates, or an `ssl.SSLContext`."""
        return self._verify_

    @verify.setter
    def verify(self, value: "Verify") -> None:
        self._verify_ = value
        self._forget_settings_()

    @property
    def cert(self) -> "Cert | None":
        """The client certificate: a path, (certificate, key), or (certificate, key, password)."""
        return self._cert_

    @cert.setter
    def cert(self, value: "Cert | None") -> None:
        self._cert_ = value
        self._forget_settings_()

    @property
    def pins(self) -> Any:
        """The certificates or keys that servers must show, by host; None for no such rule."""
        return self._pins_

    @pins.setter
    def pins(self, value: Any) -> None:
        self._pins_: Any = None
        if value is not None:
            from gofer.network.pins import check_pins

            self._pins_ = check_pins(value)
        self._forget_settings_()

    @property
    def prefetch(self) -> bool:
        """Whether content is read before a call returns."""
        return bool(self._config_["prefetch"])

    @prefetch.setter
    def prefetch(self, value: bool) -> None:
        self._config_["prefetch"] = bool(value)

    @property
    def stream(self) -> bool:
        """The opposite of `prefetch`, in today's word."""
        return not self.prefetch

    @stream.setter
    def stream(self, value: bool) -> None:
        self._config_["prefetch"] = not value

    @property
    def max_redirects(self) -> int:
        """How many redirects a call follows; one more is `TooManyRedirects`."""
        return self._config_["max_redirects"]  # type: ignore[no-any-return]

    @max_redirects.setter
    def max_redirects(self, value: int) -> None:
        self._config_["max_redirects"] = value

    @property
    def trust_env(self) -> bool:
        """Whether proxies, netrc and certificates of the environment count."""
        return bool(self._config_["trust_env"])

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        self._config_["trust_env"] = bool(value)

    def _choose_runtime_(self, name: str) -> None:
        """Wait another way than usual."""
        raise ValueError(f"runtime is {name!r}: this kind of session finds out by itself")

    # Settings ---------------------------------------------------------------------------------

    _prefetch_default_: bool | None = None  # the package's
    _runtime_: Runtime  # how to wait: each face has its own

    def _forget_settings_(self) -> None:
        self._settings_ = None

    def _settings_now_(self) -> Settings:
        """The settings of calls that bring none of their own."""
        settings = self._settings_
        if settings is None or self._settings_version_ != defaults.version:
            settings = self._make_settings_()
        return settings

    def _make_settings_(self) -> Settings:
        common = _common()
        config = self._config_
        changes: dict[str, Any] = {}
        timeouts = common.settings.timeouts
        if config:
            changes = config.own_of(REQUEST)
            if "max_retries" in changes:
                policy_from(changes["max_retries"])  # complain early
            timeouts = timeouts.replace(**config.own_of(TIMEOUTS))
        own = self._timeout_ if self._timeout_ is not None else config["timeout"]
        if own is not None:
            timeouts = timeouts_from(own, timeouts)
            deadline = dict.get(config, "deadline")
            if deadline is not None:  # it was said beside them
                timeouts = timeouts.replace(total=deadline)
        settings = common.settings.replace(
            **changes,
            base_headers=dict.get(config, "base_headers"),
            cert=self._cert_,
            cookie_store=self._cookie_store_,
            proxies=self._proxies_,
            pins=self._pins_,
            resolve=self._resolve_,
            socket_options=self._socket_options_,
            source_address=self._source_address_,
            timeouts=timeouts,
            unix_socket=self._unix_socket_,
            verify=self._verify_,
        )
        settings.router = Router(settings)
        self._settings_ = settings
        self._settings_version_ = common.version
        return settings

    def _limits_(self) -> Limits:
        """What a peer may make us keep."""
        return Limits(**_common().limits | self._config_.own_of(RESPONSE))

    def _pool_limits_(self) -> PoolLimits:
        """How many connections may idle, and how many may be open."""
        return PoolLimits(**_common().pool_limits | self._config_.own_of(POOL))

    def __getstate__(self) -> dict[str, Any]:
        """The arguments that make such a session, and attributes to set: a subclass adds to them by
        `__attrs__`, as in Requests."""
        arguments = {
            "auth": self.auth,
            "proxies": self._proxies_,
            "params": self.params,
            "verify": self._verify_,
            "cert": self._cert_,
            "timeout": self._timeout_,
            "config": dict(self._config_),
            "unix_socket": self._unix_socket_,
            "source_address": self._source_address_,
            "socket_options": self._socket_options_,
            "resolve": self._resolve_,
            "pins": self._pins_,
        }
        added = [name for name in self.__attrs__ if name not in SessionState.__attrs__]
        return {
            "arguments": arguments,
            "headers": dict(self._headers_),
            "hooks": self.hooks,
            "_cookie_store_": self._cookie_store_,
            "alternatives": self.alternatives,
            **{name: getattr(self, name, None) for name in added},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        SessionState.__init__(self, **state.pop("arguments"))  # a subclass may want others
        for name, value in state.items():
            setattr(self, name, value)


def _forgetting(session: SessionState) -> Callable[[], None]:
    """What a config calls when it changes, without keeping its session alive."""
    known = ref(session)

    def forget() -> None:
        session = known()
        if session is not None:
            session._forget_settings_()

    return forget


class _Common:
    """What every session is made from that sets nothing else: 20 µs the less for each of them."""

    __slots__ = ("limits", "pool_limits", "settings", "version")

    def __init__(self) -> None:
        self.version = defaults.version
        config = Config()
        values = config.all_of(REQUEST)
        policy_from(values["max_retries"])  # complain early
        timeouts = Timeouts(**config.all_of(TIMEOUTS))
        self.settings = Settings(
            {**values, "allow_redirects": True, "router": None, "timeouts": timeouts}
        )
        self.limits = config.all_of(RESPONSE)
        self.pool_limits = config.all_of(POOL)


_known_common: _Common | None = None


def _common() -> _Common:
    """As the package defaults are now."""
    global _known_common
    known = _known_common
    if known is None or known.version != defaults.version:
        known = _known_common = _Common()
    return known
