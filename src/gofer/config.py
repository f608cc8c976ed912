"""Every setting: its meaning, its unit and its default, in one table.

`Config` is the dictionary users give to a call or a session (`config={...}`); `Settings` is what
one request is finally sent with, after call, session, environment and defaults are merged.
Call > session > package default (`gofer.defaults.defaults`).
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import ConfigWarning

__all__ = ["SETTINGS", "Config", "Setting", "Settings", "Timeouts", "defaults"]

VERSION = "0.1.0"


class Setting:
    """One row of the table."""

    __slots__ = ("default", "meaning", "name")

    def __init__(self, name: str, default: Any, meaning: str) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning


SETTINGS: tuple[Setting, ...] = (
    # Those of Requests 0.8
    Setting("base_headers", None, "dict of fields filled in where a request lacks them"),
    Setting("verbose", None, "a stream; one line per request on the wire is written to it"),
    Setting("timeout", None, "as `timeout=` on a call, where call and session give none"),
    Setting("max_redirects", 30, "redirects followed before TooManyRedirects"),
    Setting("decode_unicode", False, "default of iter_content/iter_lines' decode_unicode"),
    Setting("keep_alive", True, "False: every request has its own connection, then closed"),
    Setting("pool_connections", 10, "origins whose idle connections are kept, latest used first"),
    Setting("pool_maxsize", 10, "idle connections kept per origin"),
    Setting("max_retries", 0, "new attempts if no connection could be made; or a Retry"),
    Setting("safe_mode", False, "True: errors give a falsy Response with status_code 0 and .error"),
    Setting("danger_mode", False, "True: status codes 4xx and 5xx raise HTTPError"),
    Setting("encode_uri", True, "False: path and query are sent as given"),
    Setting("trust_env", True, "proxies, netrc and CA bundles from the environment"),
    Setting("strict_mode", False, "True: 301 and 302 keep the method, as RFC 9110 prefers"),
    Setting("store_cookies", True, "False: Set-Cookie is ignored"),
    # gofer's own
    Setting("http2", None, "None: if the server chooses it; False: never; 'prior knowledge': only"),
    Setting(
        "http3", None, "None: where a server announces it; False: never; 'prior knowledge': only"
    ),
    Setting("coalesce", False, "True: an HTTP/2 connection serves other hosts of its certificate"),
    Setting("tls_minimum", "1.2", "oldest version of TLS to use: '1.2' or '1.3'"),
    Setting("tls_ciphers", None, "cipher suites up to TLS 1.2, as OpenSSL writes a list of them"),
    Setting("crl_file", None, "path of a file of certificate revocation lists (PEM)"),
    Setting("hook_errors", None, "'warn' or 'raise' for errors in hooks; None: by their signature"),
    Setting("prefetch", False, "True: content is read before the call returns"),
    Setting("connect_timeout", 30.0, "seconds for name look-up, TCP, proxy and TLS together"),
    Setting(
        "read_timeout", 300.0, "seconds for the whole response head; for each silence in content"
    ),
    Setting(
        "write_timeout", 300.0, "seconds for which the peer may accept nothing of what is sent"
    ),
    Setting("pool_timeout", 300.0, "seconds to wait for a connection where limits are set"),
    Setting("deadline", None, "seconds for the whole call: names, connect, redirects, content"),
    Setting("idle_seconds", 60.0, "seconds after which an idle connection is not used again"),
    Setting("resolve_seconds", 10.0, "seconds for which addresses of a name are remembered"),
    Setting("max_connections", None, "open connections of a session; further requests wait"),
    Setting("max_connections_per_host", None, "open connections per origin"),
    Setting("max_field_section", 256 * 1024, "bytes of a response's heads and trailers together"),
    Setting("max_fields", 1000, "field lines of one head or trailer section"),
    Setting("max_interim_responses", 16, "1xx heads before the final one"),
    Setting("max_coding_layers", 3, "nested content codings"),
    Setting(
        "max_decoded_ratio", 200, "decoded/received size above which content over 64 MiB is refused"
    ),
    Setting("max_drain", 64 * 1024, "bytes of unwanted content read in order to keep a connection"),
    Setting("retry_after_max", 120.0, "seconds of Retry-After that are obeyed"),
    Setting("secret_headers", (), "further fields that must not follow to another origin"),
    Setting("expect_timeout", 1.0, "seconds to wait for 100 (Continue) before content is sent"),
)

KNOWN = {setting.name: setting for setting in SETTINGS}

# What the values of settings are, beside None; those that are not here have checks of their own.
_SECONDS = frozenset(("idle_seconds", "resolve_seconds", "retry_after_max", "expect_timeout"))
_COUNTS_OR_NONE = frozenset(("max_connections", "max_connections_per_host"))


def check_setting(key: str, value: Any) -> None:
    """Refuse a value that the setting `key` cannot have.

    Raises:
        ValueError: says what was expected.
    """
    default = KNOWN[key].default
    if key in ("connect_timeout", "read_timeout", "write_timeout", "pool_timeout", "deadline"):
        seconds(value, f"config {key!r}")
        return
    if key == "timeout":
        timeouts_from(value, Timeouts())
        return
    if isinstance(default, bool):
        expected = "True or False"
        is_fine = value in (True, False)
    elif key in _SECONDS or key == "max_decoded_ratio":
        expected = "a number, 0 or more"
        is_fine = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    elif key == "max_retries":
        expected = "a whole number, 0 or more, or a gofer.Retry"
        is_fine = value is False or _is_count(value) or hasattr(value, "total")
    elif isinstance(default, int) or key in _COUNTS_OR_NONE:
        expected = "a whole number, 0 or more"
        is_fine = _is_count(value)
    elif key == "hook_errors":
        expected = "'warn' or 'raise'"
        is_fine = value in ("warn", "raise")
    elif key in ("http2", "http3"):
        expected = "True, False, or 'prior knowledge'"
        is_fine = value in (True, False, "prior knowledge")
        is_there = has_http2() if key == "http2" else has_http3()
        if value and is_fine and not is_there:
            package = "ngh2" if key == "http2" else "qh3"
            raise ImportError(f"config {key} needs {package}: pip install gofer[{key}]")
    elif key == "tls_minimum":
        expected = "'1.2' or '1.3'"
        is_fine = value in ("1.2", "1.3")
    elif key == "tls_ciphers":
        expected = "a str such as 'ECDHE+AESGCM'"
        is_fine = isinstance(value, str) and bool(value)
    elif key == "crl_file":
        expected = "a path"
        is_fine = isinstance(value, str | PathLike) and bool(value)
    elif key == "verbose":
        expected = "a stream, such as sys.stderr"
        is_fine = hasattr(value, "write")
    elif key == "base_headers":
        expected = "a dict of fields"
        is_fine = isinstance(value, Mapping)
    else:
        expected = "names of fields"
        is_fine = not isinstance(value, (str, bytes)) and isinstance(value, Iterable)
    if not is_fine:
        raise ValueError(f"config {key!r}: got {value!r:.60}, expected {expected}, or None")


def has_http2() -> bool:
    """True if the extra `http2` is installed; h2 will do as well, slowly."""
    return _is_installed("ngh2") or _is_installed("h2")


def has_http3() -> bool:
    """True if the extra `http3` is installed."""
    return _is_installed("qh3")


def _is_installed(package: str) -> bool:
    """True if there is such a package. Looked up once: it takes 100 us."""
    found = _installed.get(package)
    if found is None:
        from importlib.machinery import PathFinder

        found = _installed[package] = PathFinder.find_spec(package) is not None
    return found


_installed: dict[str, bool] = {}


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= 0


def default_base_headers() -> dict[str, str]:
    """The fields every request has unless told otherwise."""
    return {
        "User-Agent": f"gofer/{VERSION}",
        "Accept-Encoding": offered_codings(),
        "Accept": "*/*",
        "Connection": "keep-alive",
    }


def _always_there() -> str:
    return "gzip, deflate"


# Which codings can be decoded depends on what is installed: the faces put the function of
# `gofer.codings` that knows it here, since settings import nothing.
offered_codings: Callable[[], str] = _always_there


class Config(dict[str, Any]):
    """A checked dictionary of settings: only what somebody set is in it.

    Reading a key that is not set gives the package default. An unknown key is kept and warned
    about, with the nearest known one. `changed` is called after each change.
    """

    def __init__(
        self, values: Mapping[str, Any] | None = None, changed: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self._changed = changed
        if values is not None:
            if not isinstance(values, Mapping):
                raise TypeError(
                    f"config: got {type(values).__name__}, expected a dict such as"
                    " {'max_redirects': 5}"
                )
            self.update(values)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in KNOWN:
            import difflib  # 2 ms, and most programs know the keys

            near = difflib.get_close_matches(str(key), KNOWN, n=1, cutoff=0)
            warnings.warn(
                f"unknown config key {key!r}; the nearest known one is {near[0]!r}",
                ConfigWarning,
                stacklevel=level_of_caller(),
            )
        elif value is not None:
            check_setting(key, value)
        if isinstance(value, dict):
            value = dict(value)
        super().__setitem__(key, value)
        self._notify()

    def __missing__(self, key: str) -> Any:
        if key == "base_headers":
            self[key] = default_of(key)
            return dict.__getitem__(self, key)  # this session's own, editable in place
        if key in KNOWN:
            return default_of(key)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in KNOWN else super().get(key, default)

    def in_force(self, key: str) -> Any:
        """What counts for `key`: None stands for the default, but for limits of time, where it
        means no limit."""
        value = self[key]
        return default_of(key) if value is None and not key.endswith("_timeout") else value

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, *args: Any) -> Any:
        value = super().pop(*args)
        self._notify()
        return value

    def clear(self) -> None:
        super().clear()
        self._notify()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._notify()

    def copy(self) -> "Config":
        return Config(self)

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed()

    def __reduce__(self) -> Any:
        return Config, (dict(self),)


class _Defaults(Config):
    """`gofer.defaults.defaults`: the package defaults, for a whole program."""

    version = 0

    def __init__(self) -> None:
        super().__init__()
        for setting in SETTINGS:
            dict.__setitem__(self, setting.name, setting.default)

    def _notify(self) -> None:
        _Defaults.version += 1


defaults = _Defaults()


def default_of(key: str) -> Any:
    """The package default of a setting; base_headers as a new dict."""
    value = dict.get(defaults, key)
    if key == "base_headers":
        return default_base_headers() if value is None else dict(value)
    return value


PHASES = ("connect", "read", "write", "pool", "total")


class Timeouts:
    """How long each phase may take, seconds; None is no limit.

    Args:
        connect: name look-up, TCP, proxy and TLS together.
        read: until the whole response head is there; then the longest silence in the content.
        write: the longest time in which the peer takes nothing of what is sent.
        pool: waiting for a connection where the session has limits.
        total: the whole call, redirects, retries and content included.

    Raises:
        ValueError: a value is not a number greater than zero.
    """

    __slots__ = ("connect", "pool", "read", "total", "write")

    def __init__(
        self,
        connect: float | None = None,
        read: float | None = None,
        write: float | None = None,
        pool: float | None = None,
        total: float | None = None,
    ) -> None:
        # Written out: a loop takes 4 µs, this 2, and `timeout=5` makes one for each call.
        put = object.__setattr__
        put(self, "connect", seconds(connect, "timeout (connect)"))
        put(self, "read", seconds(read, "timeout (read)"))
        put(self, "write", seconds(write, "timeout (write)"))
        put(self, "pool", seconds(pool, "timeout (pool)"))
        put(self, "total", seconds(total, "timeout (total)"))

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Timeouts cannot be changed; make another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("Timeouts cannot be changed; make another one")

    def replace(self, **changes: float | None) -> "Timeouts":
        """A copy with some limits changed."""
        return Timeouts(**{name: changes.get(name, getattr(self, name)) for name in PHASES})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeouts) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __iter__(self) -> Any:
        return iter((self.connect, self.read, self.write, self.pool, self.total))

    def __repr__(self) -> str:
        return (
            f"Timeouts(connect={self.connect}, read={self.read}, write={self.write},"
            f" pool={self.pool}, total={self.total})"
        )

    def __reduce__(self) -> Any:
        return Timeouts, tuple(self)


def seconds(value: Any, name: str) -> float | None:
    """A positive number of seconds, or None.

    Raises:
        ValueError: it is something else.
    """
    if value is None or (type(value) is float and value > 0):
        return value
    number = None if isinstance(value, bool) else _number(value)
    if number is None or not number > 0:
        raise ValueError(
            f"{name} must be an int, float or None, in seconds and greater than 0,"
            f" not {value!r:.60}"
        )
    return number


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def timeouts_from(value: Any, base: Timeouts) -> Timeouts:
    """What a call's `timeout=` means: a number, (connect, read), or Timeouts.

    A number bounds connecting, the head and each silence, as in Requests; limits that `value`
    does not name are those of `base`.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, Timeouts):
        return value
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(
                f"timeout {value!r:.60}: expected a number of seconds, a (connect, read) pair,"
                " or gofer.Timeouts"
            )
        connect, read = value
        return Timeouts(connect, read, base.write, base.pool, base.total)
    if all(hasattr(value, name) for name in ("connect_timeout", "read_timeout", "total")):
        # urllib3's Timeout, by its attributes
        connect, read = value.connect_timeout, value.read_timeout
        return Timeouts(_plain(connect), _plain(read), base.write, base.pool, base.total)
    return Timeouts(value, value, value, base.pool, base.total)


def _plain(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) else None


class Settings:
    """What one request is sent with: everything decided, nothing left to look up.

    Made once per state of a session and shared by its requests; a call with options of its own
    gets a changed copy (`replace`). No slots: a dict is copied at once, 29 slots take 15 µs.
    """

    allow_redirects: bool
    base_headers: dict[str, str] | None
    cert: Any
    coalesce: bool
    cookie_store: Any
    crl_file: Any
    danger_mode: bool
    decode_unicode: bool
    encode_uri: bool
    expect_timeout: float
    http2: Any
    http3: Any
    hook_errors: str | None
    keep_alive: bool
    max_coding_layers: int
    max_decoded_ratio: float | None
    max_drain: int
    max_redirects: int
    max_retries: Any
    pins: Any
    prefetch: bool
    proxies: dict[str, Any]
    retry_after_max: float
    router: Any
    safe_mode: bool
    secret_headers: Iterable[str]
    resolve: Any
    resolve_seconds: float
    socket_options: tuple[tuple[Any, ...], ...]
    source_address: Any
    store_cookies: bool
    strict_mode: bool
    timeouts: Timeouts
    tls_ciphers: str | None
    tls_minimum: str
    trust_env: bool
    unix_socket: str | None
    verbose: Any
    verify: Any

    def __init__(self, values: Mapping[str, Any]) -> None:
        vars(self).update(values)

    def as_config(self) -> dict[str, Any]:
        """The settings that have a key in `config`, by that key."""
        return {name: value for name, value in vars(self).items() if name in KNOWN}

    def replace(self, **changes: Any) -> "Settings":
        """A copy with some settings changed."""
        copied = Settings(vars(self))
        vars(copied).update(changes)
        return copied
