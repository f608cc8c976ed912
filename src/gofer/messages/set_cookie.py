"""Set-Cookie (RFC 6265bis): the grammar, the matching rules, and whether a server may set it.

`parse_set_cookie` and `parse_cookie_date` read what servers send; `received_cookie` judges it and
makes the `Cookie` that a store keeps. There is no clock here: `now` comes in, as wall-clock
seconds, and is compared with expiry times and nothing else. Text is held as it travels, one
character an octet (latin-1), so a value goes back as it came.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gofer.messages.url import URL

__all__ = [
    "BOUND",
    "GIVEN",
    "PLAIN_TYPES",
    "RECEIVED",
    "Cookie",
    "SetCookie",
    "default_path",
    "domain_matches",
    "is_address",
    "is_public_suffix",
    "is_secure",
    "parse_cookie_date",
    "parse_set_cookie",
    "path_matches",
    "received_cookie",
    "text_of",
]

MAX_PAIR = 4096  # octets of name and value together (RFC 6265bis, 5.6)
MAX_ATTRIBUTE = 1024  # octets of one attribute value (RFC 6265bis, 5.6)
MAX_AGE = 400 * 86400  # seconds; RFC 6265bis, 5.5: no cookie outlives 400 days without news

# Where a cookie came from. What the user gave is never evicted or cut to a limit.
RECEIVED = "received"  # by Set-Cookie
GIVEN = "given"  # by the user
BOUND = "bound"  # by the user without a domain; a host took it

_CONTROL = re.compile(r"[\x00-\x08\n-\x1f\x7f]")
_MAX_AGE = re.compile(r"-?[0-9]+")
_PREFIX = re.compile(r"__(host|secure)-", re.IGNORECASE)
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}


# Dates --------------------------------------------------------------------------------------------

_DATE_DELIMITER = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_DAY = re.compile(r"([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_YEAR = re.compile(r"([0-9]{2,4})(?:[^0-9].*)?", re.DOTALL)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_IN_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS_TO_1970 = 719_162  # from 1 January of the year 1


def parse_cookie_date(text: str) -> float | None:
    """Seconds since 1970 for the date of an Expires attribute; None if it is no date.

    Takes the words in any order, as servers write them (RFC 6265bis, 5.1.1). Always GMT.
    """
    clock = day = month = year = None
    for token in _DATE_DELIMITER.split(text):
        if clock is None and (found := _TIME.fullmatch(token)):
            clock = tuple(map(int, found.groups()))
        elif day is None and (found := _DAY.fullmatch(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.fullmatch(token)):
            year = int(found[1])
    if clock is None or day is None or month is None or year is None:
        return None
    if year < 70:
        year += 2000
    elif year < 100:
        year += 1900
    hour, minute, second = clock
    if year < 1601 or hour > 23 or minute > 59 or second > 59:
        return None
    is_leap_year = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS_IN_MONTH[month - 1] + (is_leap_year and month == 2):
        return None
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - _DAYS_TO_1970
    days += sum(_DAYS_IN_MONTH[: month - 1]) + (is_leap_year and month > 2) + day - 1
    return float(((days * 24 + hour) * 60 + minute) * 60 + second)


# Set-Cookie ---------------------------------------------------------------------------------------


class SetCookie:
    """One Set-Cookie field as it was written; nothing is judged yet.

    `domain` is lower case without a leading dot, "" if not given; `path` is None unless it starts
    with "/"; `expires` is seconds since 1970; `max_age` is seconds, 0 for anything not positive.
    """

    __slots__ = (
        "domain", "expires", "http_only", "max_age", "name", "path", "same_site", "secure", "value",
    )  # fmt: skip

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value
        self.domain = ""
        self.path: str | None = None
        self.expires: float | None = None
        self.max_age: int | None = None
        self.secure = False
        self.http_only = False
        self.same_site: str | None = None


def parse_set_cookie(value: str | bytes) -> SetCookie | None:
    """The cookie a Set-Cookie field value describes; None if it is to be ignored.

    Ignored are values with control characters, without name and value, or over the size limits
    (RFC 6265bis, 5.6). Unknown and broken attributes are passed over; the last of a kind counts.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if _CONTROL.search(value):
        return None
    pair, _, rest = value.partition(";")
    name, equals, content = pair.partition("=")
    if not equals:
        name, content = "", pair  # a nameless cookie
    name, content = name.strip(" \t"), content.strip(" \t")
    if not name and not content:
        return None
    if len(name) + len(content) > MAX_PAIR:
        return None
    parsed = SetCookie(name, content)
    if rest:
        _parse_attributes(parsed, rest)
    return parsed


def _parse_attributes(parsed: SetCookie, text: str) -> None:
    for attribute in text.split(";"):
        name, _, value = attribute.partition("=")
        name, value = name.strip(" \t").lower(), value.strip(" \t")
        if len(value) > MAX_ATTRIBUTE:
            continue
        if name == "path":
            parsed.path = value if value.startswith("/") else None
        elif name == "domain":
            # An empty one is passed over, as RFC 6265 (5.2.3) and its tests have it: it must not
            # make a host-only cookie out of one for a foreign domain.
            if value:
                parsed.domain = value.removeprefix(".").lower()
        elif name == "expires":
            expires = parse_cookie_date(value)
            parsed.expires = parsed.expires if expires is None else expires
        elif name == "max-age":
            if _MAX_AGE.fullmatch(value):
                parsed.max_age = max(0, min(int(value), MAX_AGE))
        elif name == "secure":
            parsed.secure = True
        elif name == "httponly":
            parsed.http_only = True
        elif name == "samesite":
            parsed.same_site = _SAME_SITE.get(value.lower())


# Matching -----------------------------------------------------------------------------------------


def domain_matches(host: str, domain: str) -> bool:
    """True if `host` is `domain` or a name below it; an address matches itself only (5.1.3)."""
    if host == domain:
        return True
    return host.endswith("." + domain) and not is_address(host)


def path_matches(request_path: str, path: str) -> bool:
    """True if `request_path` is `path` or below it, at a "/" (RFC 6265bis, 5.1.4)."""
    if not request_path.startswith(path):
        return False
    return len(request_path) == len(path) or path.endswith("/") or request_path[len(path)] == "/"


def default_path(request_path: str) -> str:
    """The path of a cookie that names none: the folder of the request's path (5.1.4)."""
    if not request_path.startswith("/"):
        return "/"
    return request_path[: request_path.rfind("/")] or "/"


@lru_cache(maxsize=1024)
def is_public_suffix(domain: str) -> bool:
    """True if many parties register names below `domain` (com, co.uk, github.io), so that nobody
    may set a cookie for all of them. Names that cannot be looked up count as public too."""
    return _suffix_list().privatesuffix(domain.lower().strip(".")) is None


@lru_cache(maxsize=1)
def _suffix_list() -> Any:
    from publicsuffixlist import PublicSuffixList  # 12 ms to import, 95 ms to build: when needed

    return PublicSuffixList()


def is_address(host: str) -> bool:
    # `messages/url.py` refuses names that end in a number unless they are IPv4 addresses.
    return ":" in host or host.rpartition(".")[2].isdigit()


def is_secure(url: "URL", loopback_is_secure: bool) -> bool:
    if url.scheme == "https":
        return True
    if not loopback_is_secure:
        return False
    host = url.host
    return (
        host in ("localhost", "::1")
        or host.endswith(".localhost")
        or (host.startswith("127.") and is_address(host))
    )


# The cookie ---------------------------------------------------------------------------------------


class Cookie:
    """A cookie of a store. Treat it as a value: change it with `changed`, then `add` it again.

    `domain` is lower case without a leading dot, "" while the cookie is unbound. `expires` is
    wall-clock seconds, None for the length of the session. `port` limits it to a list of ports
    ("80,8080"; only users can ask for that). `extra` is what a face wants to get back unchanged.

    `created` and `last_access` count the store's events instead of seconds, so that a clock which
    jumps neither reorders cookies nor evicts the wrong ones.
    """

    __slots__ = (
        "created", "domain", "expires", "extra", "host_only", "http_only", "last_access", "name",
        "path", "port", "same_site", "secure", "source", "value",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        value: str,
        *,
        domain: str = "",
        host_only: bool = True,
        path: str = "/",
        secure: bool = False,
        http_only: bool = False,
        same_site: str | None = None,
        expires: float | None = None,
        port: str | None = None,
        source: str = GIVEN,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.domain = domain
        self.host_only = host_only
        self.path = path
        self.secure = secure
        self.http_only = http_only
        self.same_site = same_site
        self.expires = expires
        self.port = port
        self.source = source
        self.extra = extra
        self.created = 0
        self.last_access = 0

    @classmethod
    def given(cls, name: Any, value: Any, *, domain: str = "", **attributes: Any) -> "Cookie":
        """A cookie the user writes. With a domain it is for the names below it as well, as if a
        Domain attribute had said so; without one it is unbound."""
        domain = domain.removeprefix(".").lower()
        attributes.setdefault("host_only", not domain or is_address(domain))
        return cls(text_of(name), text_of(value), domain=domain, **attributes)

    @classmethod
    def from_cookiejar(cls, cookie: Any) -> "Cookie":
        """The cookie that an `http.cookiejar.Cookie` describes."""
        domain = cookie.domain or ""
        if domain == "localhost.local":  # http.cookiejar's own name for the host "localhost"
            domain = "localhost"
        attributes: dict[str, Any] = {}
        if not (cookie.domain_specified or domain.startswith(".")):
            attributes["host_only"] = True
        rest = dict(cookie._rest)
        lowered = {str(name).lower(): value for name, value in rest.items()}
        return cls.given(
            cookie.name,
            "" if cookie.value is None else cookie.value,
            domain=domain,
            path=cookie.path or "/",
            secure=bool(cookie.secure),
            http_only="httponly" in lowered,
            same_site=_SAME_SITE.get(str(lowered.get("samesite")).lower()),
            expires=cookie.expires,
            port=cookie.port,
            extra={
                "domain": cookie.domain or "",
                "domain_specified": cookie.domain_specified,
                "port_specified": cookie.port_specified,
                "path_specified": cookie.path_specified,
                "version": cookie.version,
                "discard": cookie.discard,
                "comment": cookie.comment,
                "comment_url": cookie.comment_url,
                "rfc2109": cookie.rfc2109,
                "rest": rest,
            },
            **attributes,
        )

    @property
    def key(self) -> tuple[str, str, bool]:
        """What makes it the same cookie as another one of its domain (RFC 6265bis, 5.7)."""
        return self.name, self.path, self.host_only

    def is_expired(self, now: float) -> bool:
        return self.expires is not None and self.expires <= now

    def changed(self, **changes: Any) -> "Cookie":
        """The same cookie but for `changes`."""
        return Cookie(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Everything but the store's counters, as data that JSON can hold."""
        return {name: getattr(self, name) for name in PLAIN_TYPES}

    def __repr__(self) -> str:
        return f"<Cookie {self.name} for {self.domain or 'any host'}{self.path}>"


PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "value": (str,),
    "domain": (str,),
    "host_only": (bool,),
    "path": (str,),
    "secure": (bool,),
    "http_only": (bool,),
    "same_site": (str, type(None)),
    "expires": (int, float, type(None)),
    "port": (str, type(None)),
    "source": (str,),
    "extra": (dict, type(None)),
}


def received_cookie(
    parsed: SetCookie, url: "URL", now: float, *, loopback_is_secure: bool = False
) -> Cookie | None:
    """The cookie that the answer to `url` may set, or None if it may not.

    Follows the storage model of RFC 6265bis, 5.7, but for the steps that look at other cookies.
    A cookie that is expired already is given, too: it deletes.
    """
    host = url.host
    secure_origin = is_secure(url, loopback_is_secure)
    if parsed.secure and not secure_origin:
        return None
    if not _prefix_allows(parsed):
        return None
    host_only = True
    if parsed.domain and parsed.domain != host:
        if not domain_matches(host, parsed.domain) or is_public_suffix(parsed.domain):
            return None
        host_only = False
    elif parsed.domain:
        # Whether the host itself is a public suffix is asked when the cookie would go to a name
        # below it: most cookies of this kind never do, and the list costs 0.1 s to load.
        host_only = is_address(host)
    expires = parsed.expires
    if parsed.max_age is not None:
        expires = now + parsed.max_age
    elif expires is not None:
        expires = min(expires, now + MAX_AGE)
    path = parsed.path
    return Cookie(
        parsed.name,
        parsed.value,
        domain=host if host_only else parsed.domain,
        host_only=host_only,
        path=default_path(url.path) if path is None else path,
        secure=parsed.secure,
        http_only=parsed.http_only,
        same_site=parsed.same_site,
        expires=expires,
        source=RECEIVED,
    )


def _prefix_allows(parsed: SetCookie) -> bool:
    """False if the name starts with a promise that the attributes do not keep (5.4)."""
    found = _PREFIX.match(parsed.name)
    if found is None:
        # Sent back, the value of a nameless cookie would look like a name with the prefix.
        return bool(parsed.name) or not _PREFIX.match(parsed.value)
    if not parsed.secure:
        return False
    return found[1].lower() == "secure" or (not parsed.domain and parsed.path == "/")


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
