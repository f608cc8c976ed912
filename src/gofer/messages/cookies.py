"""Cookies (RFC 6265bis): the store that takes Set-Cookie and answers with Cookie.

A `CookieStore` keeps cookies by domain, for all threads of a session. What a Set-Cookie field
means and whether it is allowed is in `set_cookie.py`; when the store is asked, in
`stages/cookies.py`. There is no clock: `now` comes in, as wall-clock seconds.

A cookie the user gives without a domain is *unbound*: it belongs to the first host it is sent to,
and from then on only to that host (and to https only, if that is how it first went).
"""

import _thread
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gofer.exceptions import InvalidHeader
from gofer.messages.set_cookie import (
    BOUND,
    PLAIN_TYPES,
    RECEIVED,
    Cookie,
    domain_matches,
    is_address,
    is_public_suffix,
    is_secure,
    parse_cookie_date,
    parse_set_cookie,
    path_matches,
    received_cookie,
    text_of,
)

if TYPE_CHECKING:
    from gofer.messages.url import URL

__all__ = [
    "Cookie",
    "CookieStore",
    "field_value",
    "overridden",
    "parse_cookie_date",
    "parse_set_cookie",
]

MAX_PER_DOMAIN = 180  # cookies; what Chrome and Firefox keep
MAX_COOKIES = 3000  # cookies in one store; what Chrome and Firefox keep
MAX_FIELD = 16 * 1024  # octets of a Cookie field; servers refuse heads of 8 to 64 KiB


class CookieStore:
    """Cookies by domain. Safe to share between threads; a look-up costs what the host's own
    cookies cost, however many other hosts there are.

    `may_store` and `may_send`, if set, are asked (cookie, url) after the RFC's rules have agreed.

    Args:
        loopback_is_secure: treat http to localhost, 127.0.0.0/8 and ::1 like https.
    """

    __slots__ = (
        "__weakref__", "_bound", "_by_domain", "_count", "_events", "_lock",
        "_loopback_is_secure", "_secure_by_name", "may_send", "may_store",
    )  # fmt: skip

    def __init__(self, *, loopback_is_secure: bool = False) -> None:
        self.may_store: Callable[[Cookie, URL], bool] | None = None
        self.may_send: Callable[[Cookie, URL], bool] | None = None
        self._loopback_is_secure = loopback_is_secure
        self._lock = _thread.allocate_lock()  # for everything below
        self._by_domain: dict[str, dict[tuple[str, str, bool], Cookie]] = {}
        self._secure_by_name: dict[str, set[Cookie]] = {}
        self._bound: dict[tuple[str, str], Cookie] = {}  # by name and path
        self._count = 0
        self._events = 0

    # From and to the wire

    def store(self, url: "URL", set_cookie_values: Iterable[str | bytes], now: float) -> None:
        """Takes what the answer to `url` wants to set; ignores what it may not."""
        for value in set_cookie_values:
            parsed = parse_set_cookie(value)
            if parsed is None:
                continue
            cookie = received_cookie(parsed, url, now, loopback_is_secure=self._loopback_is_secure)
            if cookie is None:
                continue
            if self.may_store is not None and not self.may_store(cookie, url):
                continue
            with self._lock:
                self._store_locked(cookie, url, now)

    def field_for(self, url: "URL", now: float, *, overrides: Any = None) -> str | None:
        """The Cookie field value for a request to `url`; None if there is nothing to send.

        Longest path first, then the oldest. Received cookies that would take the field over
        16 KiB stay behind. Characters outside latin-1, which only users can write, go as UTF-8.

        Args:
            overrides: cookies of this call alone, as a mapping, pairs, or any cookie jar. They
                replace those of the same name; one that is None removes them.
        """
        pairs = self.pairs_for(url, now) if self._count else []
        if overrides is not None:
            pairs = overridden(pairs, overrides, url, now)
        return field_value(pairs) if pairs else None

    def pairs_for(self, url: "URL", now: float) -> list[tuple[str, str]]:
        """The (name, value) pairs that a request to `url` carries, in their order."""
        with self._lock:
            cookies = self._matching_locked(url, now)
        if self.may_send is not None:
            cookies = [cookie for cookie in cookies if self.may_send(cookie, url)]
        cookies.sort(key=lambda cookie: (-len(cookie.path), cookie.created))
        pairs = []
        room = MAX_FIELD + 2
        for cookie in cookies:
            size = len(cookie.name) + len(cookie.value) + 3  # "=" and "; "
            if size > room and cookie.source == RECEIVED:
                continue
            room -= size
            pairs.append((cookie.name, cookie.value))
        return pairs

    def _matching_locked(self, url: "URL", now: float) -> list[Cookie]:
        host, path = url.host, url.path or "/"
        secure = is_secure(url, self._loopback_is_secure)
        self._events += 1
        matching: list[Cookie] = []
        expired: list[Cookie] = []
        unbound: list[Cookie] = []
        for domain in _domains_of(host):
            for cookie in self._by_domain.get(domain, {}).values():
                if cookie.expires is not None and cookie.expires <= now:
                    expired.append(cookie)
                    continue
                if cookie.secure and not secure:
                    continue
                if not path_matches(path, cookie.path):
                    continue
                if cookie.port is not None and str(url.port) not in cookie.port.split(","):
                    continue
                if not domain:
                    unbound.append(cookie)
                    continue
                if domain != host and not _reaches_below(cookie):
                    continue
                cookie.last_access = self._events
                matching.append(cookie)
        for cookie in expired:
            self._drop_locked(cookie)
        for cookie in unbound:
            self._drop_locked(cookie)
            bound = cookie.changed(domain=host, secure=secure, source=BOUND)
            replaced = self._by_domain.get(host, {}).get(bound.key)
            if replaced in matching:
                matching.remove(replaced)
            self._add_locked(bound)
            matching.append(bound)
        return matching

    def _store_locked(self, cookie: Cookie, url: "URL", now: float) -> None:
        if not cookie.secure and not is_secure(url, self._loopback_is_secure):
            # "Leave secure cookies alone" (RFC 6265bis, 5.7): plain http must not cover one.
            for other in self._secure_by_name.get(cookie.name, ()):
                related = domain_matches(other.domain, cookie.domain) or domain_matches(
                    cookie.domain, other.domain
                )
                if related and path_matches(cookie.path, other.path):
                    return
        if cookie.is_expired(now):
            known = self._by_domain.get(cookie.domain, {}).get(cookie.key)
            if known is not None:
                self._drop_locked(known)
            return
        self._add_locked(cookie)
        if len(self._by_domain[cookie.domain]) > MAX_PER_DOMAIN:
            self._evict_locked(list(self._by_domain[cookie.domain].values()), 1, now)
        if self._count > MAX_COOKIES:
            # A tenth at a time: each look at all of them then pays for 300 cookies.
            self._evict_locked(self._all_locked(), MAX_COOKIES // 10, now)

    def _add_locked(self, cookie: Cookie) -> None:
        bucket = self._by_domain.setdefault(cookie.domain, {})
        known = bucket.get(cookie.key)
        self._events += 1
        cookie.created = cookie.last_access = self._events
        if known is not None:
            self._drop_locked(known)
            cookie.created = known.created
            bucket = self._by_domain.setdefault(cookie.domain, {})
        bucket[cookie.key] = cookie
        self._count += 1
        if cookie.secure:
            self._secure_by_name.setdefault(cookie.name, set()).add(cookie)
        if cookie.source == BOUND:
            self._bound[cookie.name, cookie.path] = cookie

    def _drop_locked(self, cookie: Cookie) -> None:
        bucket = self._by_domain[cookie.domain]
        del bucket[cookie.key]
        self._count -= 1
        if not bucket:
            del self._by_domain[cookie.domain]
        if cookie.secure:
            namesakes = self._secure_by_name[cookie.name]
            namesakes.discard(cookie)
            if not namesakes:
                del self._secure_by_name[cookie.name]
        if cookie.source == BOUND and self._bound.get((cookie.name, cookie.path)) is cookie:
            del self._bound[cookie.name, cookie.path]

    def _evict_locked(self, cookies: list[Cookie], excess: int, now: float) -> None:
        """Drops `excess` received cookies: expired ones, then those that are not secure, then
        the ones not used for longest (RFC 6265bis, 5.7)."""
        received = [cookie for cookie in cookies if cookie.source == RECEIVED]
        received.sort(key=lambda c: (not c.is_expired(now), c.secure, c.last_access))
        for cookie in received[:excess]:
            self._drop_locked(cookie)

    # From and to the user

    def set(self, name: Any, value: Any, *, domain: str = "", **attributes: Any) -> None:
        """Adds a cookie; without a domain it is unbound. `attributes` are those of `Cookie`."""
        self.add(Cookie.given(name, value, domain=domain, **attributes))

    def add(self, cookie: Cookie) -> None:
        """Adds a cookie the user answers for; it replaces the same one.

        An unbound cookie also replaces what an earlier one of its name has become.
        """
        with self._lock:
            earlier = None if cookie.domain else self._bound.get((cookie.name, cookie.path))
            if earlier is not None:
                self._drop_locked(earlier)
            self._add_locked(cookie)

    def update(self, cookies: Any) -> None:
        """Adds cookies: a mapping, (name, value) pairs, another store or any cookie jar.

        A value that is None removes the cookies of that name.
        """
        for entry in _entries(cookies):
            if isinstance(entry, Cookie):
                self.add(entry)
            elif entry[1] is None:
                self.remove(text_of(entry[0]))
            else:
                self.set(*entry)

    def remove(self, name: str, *, domain: str | None = None, path: str | None = None) -> int:
        """Removes the cookies of that name, and domain and path if given; says how many."""
        return self.remove_where(
            lambda cookie: (
                cookie.name == name
                and (domain is None or cookie.domain == domain)
                and (path is None or cookie.path == path)
            )
        )

    def remove_where(self, unwanted: Callable[[Cookie], bool]) -> int:
        """Removes the cookies for which `unwanted` is true; says how many.

        `unwanted` must not touch the store.
        """
        with self._lock:
            doomed = [cookie for cookie in self._all_locked() if unwanted(cookie)]
            for cookie in doomed:
                self._drop_locked(cookie)
        return len(doomed)

    def _all_locked(self) -> list[Cookie]:
        return [cookie for bucket in self._by_domain.values() for cookie in bucket.values()]

    def clear(self) -> None:
        """Removes every cookie."""
        self.remove_where(lambda _: True)

    def copy(self) -> "CookieStore":
        """A store of its own with the same cookies and the same rules."""
        copied = CookieStore(loopback_is_secure=self._loopback_is_secure)
        copied.may_store, copied.may_send = self.may_store, self.may_send
        for cookie in self:
            copied.add(cookie.changed())
        return copied

    def of_domain(self, domain: str) -> list[Cookie]:
        """The cookies of exactly that domain; of "", the unbound ones."""
        with self._lock:
            return list(self._by_domain.get(domain, {}).values())

    def __iter__(self) -> Iterator[Cookie]:
        """The cookies of this moment, oldest first; those that expired unnoticed are among them."""
        with self._lock:
            cookies = self._all_locked()
        cookies.sort(key=lambda cookie: cookie.created)
        return iter(cookies)

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return self._count > 0

    def __repr__(self) -> str:
        return f"<CookieStore {self._count} cookies, {len(self._by_domain)} domains>"

    # From and to a file

    def dump(self) -> list[dict[str, Any]]:
        """The cookies as data that JSON can hold, oldest first."""
        return [cookie.as_dict() for cookie in self]

    def load(self, data: Any) -> None:
        """Adds the cookies of a `dump`.

        Raises:
            ValueError: `data` is not a dump; nothing was added.
        """
        if not isinstance(data, list):
            raise ValueError(f"loading cookies: got {type(data).__name__}, expected a list")
        for cookie in [_loaded(entry, number) for number, entry in enumerate(data)]:
            self.add(cookie)

    def __getstate__(self) -> dict[str, Any]:
        return {"cookies": self.dump(), "loopback_is_secure": self._loopback_is_secure}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(loopback_is_secure=state["loopback_is_secure"])  # type: ignore[misc]
        self.load(state["cookies"])


def _loaded(entry: Any, number: int) -> Cookie:
    if not isinstance(entry, dict):
        raise ValueError(
            f"loading cookies: entry {number} is {type(entry).__name__}, expected an object"
        )
    for name, value in entry.items():
        types = PLAIN_TYPES.get(name)
        if types is None:
            raise ValueError(f"loading cookies: entry {number} has an unknown key {name!r:.40}")
        if not isinstance(value, types):
            raise ValueError(
                f"loading cookies: entry {number} has {type(value).__name__} for {name!r},"
                f" expected {types[0].__name__}"
            )
    try:
        return Cookie(**entry)
    except TypeError:
        raise ValueError(f"loading cookies: entry {number} lacks its name or value") from None


def _domains_of(host: str) -> list[str]:
    """The domains whose cookies might go to `host`; "" stands for the unbound ones."""
    domains = ["", host]
    if not is_address(host):
        _, dot, host = host.partition(".")
        while dot:
            domains.append(host)
            _, dot, host = host.partition(".")
    return domains


def _reaches_below(cookie: Cookie) -> bool:
    """True if the cookie may go to names below its domain."""
    if cookie.host_only:
        return False
    return cookie.source != RECEIVED or not is_public_suffix(cookie.domain)


def _entries(cookies: Any) -> Iterator[Any]:
    """A `Cookie` or a (name, value) pair for everything in a mapping, list, store or jar."""
    if isinstance(cookies, CookieStore):
        yield from (cookie.changed() for cookie in cookies)
    elif hasattr(cookies, "set_cookie"):  # an http.cookiejar.CookieJar
        yield from map(Cookie.from_cookiejar, cookies)
    elif isinstance(cookies, Mapping):
        yield from cookies.items()
    else:
        try:
            if isinstance(cookies, str | bytes):
                raise TypeError
            pairs = [(name, value) for name, value in cookies]
        except (TypeError, ValueError):
            raise TypeError(
                f"cookies: got {type(cookies).__name__}, expected a dict such as"
                " {'name': 'value'}, (name, value) pairs, or a cookie jar"
            ) from None
        yield from pairs


def overridden(
    pairs: list[tuple[str, str]], overrides: Any, url: "URL", now: float
) -> list[tuple[str, str]]:
    """`pairs` with those of an overridden name replaced where they stood, new ones at the end.

    Args:
        overrides: as for `CookieStore.field_for`.
    """
    values: dict[str, list[str]] = {}
    for name, value in _override_pairs(overrides, url, now):
        of_name = values.setdefault(name, [])
        if value is not None:
            of_name.append(value)
    merged = []
    placed = set()
    for name, old in pairs:
        if name not in values:
            merged.append((name, old))
        elif name not in placed:
            placed.add(name)
            merged += [(name, value) for value in values[name]]
    for name, of_name in values.items():
        if name not in placed:
            merged += [(name, value) for value in of_name]
    return merged


def _override_pairs(overrides: Any, url: "URL", now: float) -> list[tuple[str, str | None]]:
    if isinstance(overrides, CookieStore) or hasattr(overrides, "set_cookie"):
        of_this_call = CookieStore()  # a copy: the caller's jar is not bound by sending it
        of_this_call.update(overrides)
        return list(of_this_call.pairs_for(url, now))
    return [
        (text_of(name), None if value is None else text_of(value))
        for name, value in _entries(overrides)
    ]


def field_value(pairs: list[tuple[str, str]]) -> str:
    """The Cookie field value of (name, value) pairs; a nameless cookie is its value alone.

    Raises:
        InvalidHeader: one of them would be read as several. Only users can write such.
    """
    written = [f"{name}={value}" if name else value for name, value in pairs]
    field = "; ".join(written)
    if field.count(";") >= len(pairs):
        shown = next(name for name, value in pairs if ";" in name or ";" in value)
        raise InvalidHeader(
            f"cookie {shown.partition(';')[0]!r:.40}: it holds a semicolon, which would begin"
            " another cookie; percent-encode it (urllib.parse.quote), or give each cookie by itself"
        )
    try:
        field.encode("latin-1")
    except UnicodeEncodeError:
        return "; ".join(map(_fit_latin_1, written))
    return field


def _fit_latin_1(text: str) -> str:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    return text
