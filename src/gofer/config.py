"""Every setting: its meaning, its unit, its default and what it may be, in one table for each use.

`Config` is the dictionary users give to a call or a session (`config={...}`); `Settings` is what
one request is finally sent with, after call, session, environment and defaults are merged.
Call > session > package default (`gofer.defaults.defaults`).

A setting is described here and nowhere else. Which table it stands in says where it takes effect:
whatever is made of settings is made of a whole table.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import ConfigWarning
from gofer.timeouts import Timeouts, positive, timeouts_from

__all__ = ["SETTINGS", "Config", "Setting", "Settings", "Timeouts", "defaults"]

VERSION = "0.1.0"


class Setting:
    """One row of a table.

    Args:
        default: the package's.
        kind: what its values are, beside None.
        meaning: one line with its unit, as it stands in the reference.
        attribute: its name in what is made of the table, if it has another one there.
    """

    __slots__ = ("attribute", "default", "kind", "meaning", "name")

    def __init__(
        self, name: str, default: Any, kind: "Kind", meaning: str, attribute: str | None = None
    ) -> None:
        self.name = name
        self.default = default
        self.kind = kind
        self.meaning = meaning
        self.attribute = attribute or name


class Kind:
    """Which values a setting may have: in words, and as a question."""

    __slots__ = ("expected", "fits")

    def __init__(self, expected: str, fits: Callable[[Any], bool]) -> None:
        self.expected = expected
        self.fits = fits

    def check(self, key: str, value: Any) -> None:
        """Refuse a value that the setting `key` cannot have.

        Raises:
            ValueError: says what was expected.
        """
        if not self.fits(value):
            raise ValueError(
                f"config {key!r}: got {value!r:.60}, expected {self.expected}, or None"
            )


# Kinds --------------------------------------------------------------------------------------------


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_timeout(value: Any) -> bool:
    return timeouts_from(value, Timeouts()) is not None  # its own errors say more


def _version(extra: str, package: str, is_there: Callable[[], bool]) -> Kind:
    """Whether to use a version of HTTP; it may be asked for only if its extra is installed."""

    def fits(value: Any) -> bool:
        if value not in (True, False, "prior knowledge"):
            return False
        if value and not is_there():
            raise ImportError(f"config {extra} needs {package}: pip install gofer[{extra}]")
        return True

    return Kind("True, False, or 'prior knowledge'", fits)


def has_http2() -> bool:
    """True if the extra `http2` is installed; h2 will do as well, slowly."""
    return _is_installed("ngh2") or _is_installed("h2")


def has_http3() -> bool:
    """True if the extra `http3` is installed."""
    return _is_installed("qh3")


def _is_installed(package: str) -> bool:
    """True if there is such a package. Looked up once: it takes 100 µs."""
    found = _installed.get(package)
    if found is None:
        from importlib.machinery import PathFinder

        found = _installed[package] = PathFinder.find_spec(package) is not None
    return found


_installed: dict[str, bool] = {}

FLAG = Kind("True or False", lambda value: value in (True, False))
COUNT = Kind("a whole number, 0 or more", _is_count)
NUMBER = Kind("a number, 0 or more", _is_number)
SECONDS = Kind("seconds greater than 0", lambda value: positive(value) is not None)
TIMEOUT = Kind("a timeout", _is_timeout)
RETRIES = Kind(
    "a whole number, 0 or more, or a gofer.Retry",
    lambda value: value is False or _is_count(value) or hasattr(value, "total"),
)
HTTP2 = _version("http2", "ngh2", has_http2)
HTTP3 = _version("http3", "qh3", has_http3)
TLS_VERSION = Kind("'1.2' or '1.3'", lambda value: value in ("1.2", "1.3"))
CIPHERS = Kind("a str such as 'ECDHE+AESGCM'", lambda value: isinstance(value, str) and value != "")
PATH = Kind("a path", lambda value: isinstance(value, str | PathLike) and bool(value))
STREAM = Kind("a stream, such as sys.stderr", lambda value: hasattr(value, "write"))
ON_ERROR = Kind("'warn' or 'raise'", lambda value: value in ("warn", "raise"))
FIELDS = Kind("a dict of fields", lambda value: isinstance(value, Mapping))
NAMES = Kind(
    "names of fields",
    lambda value: isinstance(value, Iterable) and not isinstance(value, (str, bytes)),
)


# The tables ---------------------------------------------------------------------------------------


def _table(*settings: Setting) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


# In the place of an argument of a call; `precedence.py` merges each in a way of its own.
ARGUMENTS = _table(
    Setting("base_headers", None, FIELDS, "dict of fields filled in where a request lacks them"),
    Setting("timeout", None, TIMEOUT, "as `timeout=` on a call, where call and session give none"),
)

# A change of one may lead another way to the origin.
ROUTE = _table(
    Setting("trust_env", True, FLAG, "proxies, netrc and CA bundles from the environment"),
    Setting("keep_alive", True, FLAG, "False: every request has its own connection, then closed"),
    Setting("http2", None, HTTP2,
            "None: if the server chooses it; False: never; 'prior knowledge': only"),
    Setting("http3", None, HTTP3,
            "None: where a server announces it; False: never; 'prior knowledge': only"),
    Setting("tls_minimum", "1.2", TLS_VERSION, "oldest version of TLS to use: '1.2' or '1.3'"),
    Setting("tls_ciphers", None, CIPHERS,
            "cipher suites up to TLS 1.2, as OpenSSL writes a list of them"),
    Setting("crl_file", None, PATH, "path of a file of certificate revocation lists (PEM)"),
)  # fmt: skip

# `Settings` is made of these and of those above, so a request has them: `request.settings`.
REQUEST = ROUTE | _table(
    Setting("prefetch", False, FLAG, "True: content is read before the call returns"),
    Setting("max_redirects", 30, COUNT, "redirects followed before TooManyRedirects"),
    Setting("strict_mode", False, FLAG, "True: 301 and 302 keep the method, as RFC 9110 prefers"),
    Setting("secret_headers", (), NAMES,
            "further fields that must not follow to another origin"),
    Setting("max_retries", 0, RETRIES, "new attempts if no connection could be made; or a Retry"),
    Setting("retry_after_max", 120.0, NUMBER, "seconds of Retry-After that are obeyed"),
    Setting("safe_mode", False, FLAG,
            "True: errors give a falsy Response with status_code 0 and .error"),
    Setting("danger_mode", False, FLAG, "True: status codes 4xx and 5xx raise HTTPError"),
    Setting("hook_errors", None, ON_ERROR,
            "'warn' or 'raise' for errors in hooks; None: by their signature"),
    Setting("verbose", None, STREAM, "a stream; one line per request on the wire is written to it"),
    Setting("store_cookies", True, FLAG, "False: Set-Cookie is ignored"),
    Setting("encode_uri", True, FLAG, "False: path and query are sent as given"),
    Setting("decode_unicode", False, FLAG, "default of iter_content/iter_lines' decode_unicode"),
    Setting("max_coding_layers", 3, COUNT, "nested content codings"),
    Setting("max_decoded_ratio", 200, NUMBER,
            "decoded/received size above which content over 64 MiB is refused"),
    Setting("max_drain", 64 * 1024, COUNT,
            "bytes of unwanted content read in order to keep a connection"),
    Setting("expect_timeout", 1.0, NUMBER,
            "seconds to wait for 100 (Continue) before content is sent"),
    Setting("coalesce", False, FLAG,
            "True: an HTTP/2 connection serves other hosts of its certificate"),
    Setting("resolve_seconds", 10.0, NUMBER,
            "seconds for which addresses of a name are remembered"),
)  # fmt: skip

# `Timeouts`. None is no limit.
TIMEOUTS = _table(
    Setting("connect_timeout", 30.0, SECONDS,
            "seconds for name look-up, TCP, proxy and TLS together", "connect"),
    Setting("read_timeout", 300.0, SECONDS,
            "seconds for the whole response head; for each silence in content", "read"),
    Setting("write_timeout", 300.0, SECONDS,
            "seconds for which the peer may accept nothing of what is sent", "write"),
    Setting("pool_timeout", 300.0, SECONDS,
            "seconds to wait for a connection where limits are set", "pool"),
    Setting("deadline", None, SECONDS,
            "seconds for the whole call: names, connect, redirects, content", "total"),
)  # fmt: skip

# `PoolLimits` (network/pool.py), when a session opens its first connection.
POOL = _table(
    Setting("pool_connections", 10, COUNT,
            "origins whose idle connections are kept, latest used first", "hosts"),
    Setting("pool_maxsize", 10, COUNT, "idle connections kept per origin", "idle_per_host"),
    Setting("idle_seconds", 60.0, NUMBER,
            "seconds after which an idle connection is not used again"),
    Setting("max_connections", None, COUNT,
            "open connections of a session; further requests wait", "open_in_all"),
    Setting("max_connections_per_host", None, COUNT, "open connections per origin",
            "open_per_host"),
)  # fmt: skip

# `Limits` (protocols/http1.py), at the same time.
RESPONSE = _table(
    Setting("max_field_section", 256 * 1024, COUNT,
            "bytes of a response's heads and trailers together"),
    Setting("max_fields", 1000, COUNT, "field lines of one head or trailer section"),
    Setting("max_interim_responses", 16, COUNT, "1xx heads before the final one"),
)  # fmt: skip

KNOWN = {**ARGUMENTS, **REQUEST, **TIMEOUTS, **POOL, **RESPONSE}
SETTINGS: tuple[Setting, ...] = tuple(KNOWN.values())


# What users give ----------------------------------------------------------------------------------


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
            KNOWN[key].kind.check(key, value)
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
        return default_of(key) if value is None and not _is_limit_of_time(key) else value

    def all_of(self, table: Mapping[str, Setting]) -> dict[str, Any]:
        """What is in force of a table, by attribute."""
        return {setting.attribute: self.in_force(key) for key, setting in table.items()}

    def own_of(self, table: Mapping[str, Setting]) -> dict[str, Any]:
        """As `all_of`, but only what somebody has set."""
        return {table[key].attribute: self.in_force(key) for key in self if key in table}

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> "Config":  # type: ignore[override,misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, *args: Any) -> Any:
        value = super().pop(*args)
        self._notify()
        return value

    def popitem(self) -> tuple[str, Any]:
        item = super().popitem()
        self._notify()
        return item

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
    value = dict.get(defaults, key, KNOWN[key].default)
    if key == "base_headers":
        return default_base_headers() if value is None else dict(value)
    return KNOWN[key].default if value is None and not _is_limit_of_time(key) else value


def _is_limit_of_time(key: str) -> bool:
    """True if None is no limit, and not the default."""
    return key == "deadline" or key.endswith("_timeout")


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


# What a request is sent with ----------------------------------------------------------------------


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
    expect_timeout: float | None
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
