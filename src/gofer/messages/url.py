"""Target URIs: what the caller wrote, or a Location said, read in exactly one way.

A `URL` is made by `parse`, `with_params` or `resolve` and never changes; everything the request
path asks of it is computed once. Reading follows RFC 3986 where WHATWG's URL standard agrees, so
that the host we report is the host we connect to; where the two differ about the authority, the
URL is refused. `hosts` reads hosts, `quoting` escapes. State: two caches, of whole URLs and of
authorities. Name resolution, IRIs for display and other schemes are left to others.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gofer.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException
from gofer.messages.hosts import host_to_ascii, ipv6_literal
from gofer.messages.quoting import (
    ESCAPED,
    NOT_IN_USERINFO,
    UNRESERVED,
    normal_path,
    normal_query,
    percent_decoded,
    quoted,
)

__all__ = [
    "URL",
    "encode_form",
    "parse",
    "resolve",
    "same_origin",
    "with_params",
    "without_secrets",
]

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LOCATION = 64 * 1024  # bytes; Chromium takes 2 MB
MAX_CACHED = 1024  # characters; what is longer is parsed again rather than kept in memory
MAX_QUOTED = 40  # characters of a URL in an error message

# RFC 3986, 2 and 3. Quantifiers are possessive: one pass, whatever the input.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*+"

# Every URL meets these.
_REFERENCE = re.compile(  # RFC 3986, appendix B
    rf"(?:({_SCHEME}):)?+(?://([^/?#]*+))?+([^?#]*+)(?:\?([^#]*+))?+(?:\#(.*+))?+", re.DOTALL
)
_AUTHORITY = re.compile(r"(?:([^@\[\]]*+)@)?+(\[[^@\[\]]*+\]|[^@:\[\]]*+)(?::([0-9]*+))?+")
_NEVER_IN_AUTHORITY = re.compile(r"[\x00-\x20\x7f\\\s]")

# Few meet the others: `re` compiles them when they are first used, which saves 1.4 ms of the
# import.
_NOT_IN_FORM = rf"[^{UNRESERVED}]++"
_CONTROL = r"[\x00-\x1f\x7f]"
_NOT_VISIBLE = r"[^!-~]"
_CREDENTIALS = rf"({_SCHEME}://)[^/?#@\\]*+@([^@?#]*+)[^@]*+"


class Authority:
    """An authority under its scheme, with all that URLs at the same place have in common."""

    __slots__ = ("host", "host_field", "origin", "port", "prefix", "scheme", "text", "userinfo")

    def __init__(self, scheme: str, userinfo: str | None, host: str, port: int | None) -> None:
        default = DEFAULT_PORTS[scheme]
        address, _, zone = host.partition("%")
        # The zone is ours alone: it is never sent (RFC 6874, 4).
        shown = sent = host
        if ":" in host:
            shown = f"[{address}%25{zone}]" if zone else f"[{address}]"
            sent = f"[{address}]"
        suffix = "" if port is None or port == default else f":{port}"
        written = "" if port is None else f":{port}"  # Requests shows a default port if given
        login = "" if userinfo is None else f"{userinfo}@"

        self.scheme = scheme
        self.userinfo = userinfo
        self.host = host
        self.port = default if port is None else port
        self.origin = (scheme, host, self.port)
        self.text = shown + suffix
        self.host_field = (sent + suffix).encode("ascii")
        self.prefix = f"{scheme}://{login}{shown}{written}"

    @classmethod
    def foreign(cls, scheme: str, text: str | None) -> "Authority":
        """That of a URI of another scheme, as it was written; None if it has none."""
        place = cls.__new__(cls)
        place.scheme, place.userinfo, place.port = scheme, None, 0
        place.host = place.text = text or ""
        place.origin = (scheme, place.host, 0)
        place.host_field = b""
        place.prefix = f"{scheme}:" if text is None else f"{scheme}://{text}"
        return place


class _Parts:
    """What a URL holds, while it is being put together. See `url_of`."""

    __slots__ = (
        "_place",
        "authority",
        "fragment",
        "host",
        "host_field",
        "href",
        "origin",
        "path",
        "port",
        "query",
        "scheme",
        "target",
        "userinfo",
    )

    scheme: str
    host: str
    port: int
    userinfo: str | None
    path: str
    query: str | None
    fragment: str | None
    origin: tuple[str, str, int]
    authority: str
    host_field: bytes
    target: bytes
    href: str
    _place: Authority


class URL(_Parts):
    """An http or https URI, immutable and normalised. Two are equal if their text is.

    Made by `parse`, `with_params` and `resolve` only.

    Attributes:
        scheme: "http" or "https".
        host: ASCII, lower case; A-labels, a dotted quad, or IPv6 without brackets but with zone.
        port: the effective one.
        userinfo: percent-encoded, or None.
        path: begins with "/".
        query: what follows "?", or None.
        fragment: what follows "#", or None. It is never sent.
        origin: (scheme, host, port).
        authority: host[:port] without a default port; IPv6 in brackets.
        host_field: the same as the value of the Host field; without an IPv6 zone.
        target: the request target in origin-form (RFC 9112, 3.2.1).
        href: the whole, with userinfo and fragment.
    """

    __slots__ = ()

    @property
    def absolute(self) -> bytes:
        """The request target in absolute-form, as proxies want it (RFC 9112, 3.2.2)."""
        return b"%b://%b%b" % (self.scheme.encode("ascii"), self.host_field, self.target)

    @property
    def redacted(self) -> str:
        """The URL for a log: no fragment, "***" for the password or for a lone user name."""
        login, colon, _ = (self.userinfo or "").partition(":")
        if self.userinfo is None:
            login = ""
        elif colon:
            login = f"{login}:***@"
        else:
            login = "***@"  # https://TOKEN@host/ is how many services take a token
        return f"{self.scheme}://{login}{self.authority}{self.target.decode('ascii')}"

    @property
    def username(self) -> str | None:
        """The user name, percent-decoded, or None if there is no userinfo."""
        if self.userinfo is None:
            return None
        return percent_decoded(self.userinfo.partition(":")[0])

    @property
    def password(self) -> str | None:
        """The password, percent-decoded, or None if there is none."""
        _, colon, password = (self.userinfo or "").partition(":")
        return percent_decoded(password) if colon else None

    def __str__(self) -> str:
        return self.href

    def __repr__(self) -> str:
        return f"<URL {self.redacted}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, URL):
            return NotImplemented
        return self.href == other.href

    def __hash__(self) -> int:
        return hash(self.href)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"setting {name} of {self!r}: a URL does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"deleting {name} of {self!r}: a URL does not change")

    def __reduce__(self) -> tuple[object, ...]:
        authority = self._place.prefix.partition("://")[2]
        return _restored, (self.scheme, authority, self.path, self.query, self.fragment)


def url_of(place: Authority, path: str, query: str | None, fragment: str | None) -> URL:
    """The URL of parts that are quoted already.

    It is filled in as `_Parts` and only then becomes a `URL`, which refuses changes:
    `object.__setattr__` for each would make a fresh parse 4.2 µs instead of 2.8.
    """
    target = path if query is None else f"{path}?{query}"
    href = place.prefix + target

    parts = _Parts()
    parts._place = place
    parts.scheme = place.scheme
    parts.host = place.host
    parts.port = place.port
    parts.userinfo = place.userinfo
    parts.path = path
    parts.query = query
    parts.fragment = fragment
    parts.origin = place.origin
    parts.authority = place.text
    parts.host_field = place.host_field
    parts.target = target.encode("ascii")
    parts.href = href if fragment is None else f"{href}#{fragment}"
    parts.__class__ = URL
    return parts  # type: ignore[return-value]


def _restored(
    scheme: str, authority: str, path: str, query: str | None, fragment: str | None
) -> URL:
    """What a pickle or a copy of a URL is made of again."""
    return url_of(_place(scheme, authority), path, query, fragment)


# Making URLs ----------------------------------------------------------------------------------


def parse(url: object, *, requote: bool = True) -> URL:
    """The URL a caller wrote, as text, UTF-8 bytes, or anything whose str() is a URL.

    Valid escapes stay, escapes of unreserved characters are undone, illegal characters become
    escapes, dot segments are removed (RFC 3986, 6.2.2).

    Args:
        requote: False leaves path and query exactly as they are, dot segments too.

    Raises:
        MissingSchema: if there is no scheme.
        InvalidSchema: if the scheme is not http or https.
        InvalidURL: if there is no single reading, or, as it is not to be requoted, if sending
            it would break the request line.
    """
    if type(url) is str and requote and len(url) <= MAX_CACHED:
        return _parse_cached(url)
    if isinstance(url, URL):
        return url
    if isinstance(url, bytes | bytearray):
        try:
            url = url.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidURL("invalid URL: got bytes that are not UTF-8") from error
    if url is None:
        raise MissingSchema("invalid URL None: expected one such as https://example.com/")
    return _parse(str(url), requote)


def _parse(text: str, requote: bool = True) -> URL:
    text = text.lstrip()
    try:
        scheme, authority, path, query, fragment = _split(text)
        if scheme is None:
            raise _no_scheme(text)
        place = _place(_http_scheme(scheme), authority or "")
        if requote:
            path = normal_path(path)
            query = query and normal_query(query)
        elif re.search(_NOT_VISIBLE, path) or (query and re.search(_NOT_VISIBLE, query)):
            raise InvalidURL("a space, control or non-ASCII character, and encode_uri is off")
        return url_of(place, path or "/", query, fragment and normal_query(fragment))
    except RequestException as error:
        raise type(error)(f"invalid URL {_shown(text)!r}: {error}") from error.__cause__


_parse_cached = lru_cache(maxsize=2048)(_parse)


def resolve(base: URL, reference: str | bytes, *, max_length: int = MAX_LOCATION) -> URL:
    """The URL that `reference`, the value of a Location field, means at `base` (RFC 3986, 5.2).

    Without a fragment of its own it takes that of `base` (RFC 9110, 10.2.2). The userinfo of
    `base` stays only if the reference has no authority.

    Args:
        reference: bytes are read as UTF-8 if they are, else as Latin-1.
        max_length: the largest reference taken, in bytes or characters.

    Raises:
        InvalidSchema: if it leads to anything but http or https.
        InvalidURL: if it is too long, has a raw control character, or has no single reading.
    """
    if len(reference) > max_length:
        raise InvalidURL(f"resolving Location: got {len(reference)} bytes, limit {max_length}")
    if isinstance(reference, bytes):
        reference = _decoded(reference)
    reference = reference.strip(" \t")  # not part of the field value (RFC 9110, 5.5)
    try:
        if re.search(_CONTROL, reference):
            raise InvalidURL("a control character")
        return _resolve(base, reference)
    except RequestException as error:
        message = f"resolving Location {_shown(reference)!r}: {error}"
        raise type(error)(message) from error.__cause__


def _resolve(base: URL, reference: str) -> URL:
    scheme, authority, path, query, fragment = _split(reference)
    place = base._place
    if scheme is not None or authority is not None:
        scheme = base.scheme if scheme is None else _http_scheme(scheme)
        place = _place(scheme, authority or "")
    elif not path:
        path = base.path
        query = base.query if query is None else query
    elif path[:2] in {"\\\\", "\\/", "/\\"}:
        # Browsers read "//", another host; RFC 3986 a path on this one.
        raise InvalidURL("a backslash where an authority would begin")
    elif not path.startswith("/"):
        path = base.path[: base.path.rindex("/") + 1] + path

    return url_of(
        place,
        normal_path(path) or "/",
        query and normal_query(query),
        base.fragment if fragment is None else normal_query(fragment),
    )


def with_params(url: URL, params: object) -> URL:
    """`url` with `params` behind its query; the same object if there is nothing to add.

    Raises:
        InvalidURL: if text given as params is not Unicode.
        ValueError: if params are neither text, a mapping, nor pairs.
    """
    encoded = encode_form(params) if params is not None else ""
    charset = "utf-8"
    if isinstance(encoded, bytes):
        charset = "latin-1"  # byte by byte: they mean what the caller meant
        encoded = encoded.decode(charset)
    if not encoded:
        return url
    # Quoted here, so that "#" in ready text cannot end the query.
    added = normal_query(encoded, charset)
    query = f"{url.query}&{added}" if url.query else added
    return url_of(url._place, url.path, query, url.fragment)


def same_origin(a: URL, b: URL) -> bool:
    """True if scheme, host and port are the same (RFC 9110, 4.3.1)."""
    return a.origin == b.origin


def encode_form(data: object) -> str | bytes:
    """`data` as application/x-www-form-urlencoded: a mapping, or pairs of name and value.

    A list of values repeats the name, None drops it; text and bytes come back as they are.

    Raises:
        ValueError: if `data` is anything else, or text that is not Unicode.
    """
    if isinstance(data, str | bytes):
        return data
    pairs = data.items() if isinstance(data, Mapping) else data
    if not isinstance(pairs, Iterable):
        raise ValueError("encoding a form: expected a mapping or 2-tuples")
    encoded = []
    for pair in pairs:
        try:
            name, values = pair
        except (TypeError, ValueError) as error:
            raise ValueError("encoding a form: cannot encode what is not 2-tuples") from error
        # hasattr, because asking the ABC takes 0.4 µs for each value.
        if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
            values = (values,)
        encoded += [f"{_form(name)}={_form(value)}" for value in values if value is not None]
    return "&".join(encoded)


def _form(value: object) -> str:
    octets = value if isinstance(value, bytes) else str(value).encode("utf-8")
    if octets.isalnum():
        return octets.decode("ascii")
    return re.sub(_NOT_IN_FORM, _form_escaped, octets.decode("latin-1"))


def _form_escaped(match: re.Match[str]) -> str:
    return "".join([ESCAPED[octet] for octet in match[0].encode("latin-1")]).replace("%20", "+")


# Splitting ------------------------------------------------------------------------------------


def _split(reference: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    """(scheme, authority, path, query, fragment); what is not there is None, a path is ""."""
    match = _REFERENCE.match(reference)
    assert match is not None  # every part may be missing
    scheme, authority, path, query, fragment = match.groups()
    return scheme, authority, path, query, fragment


def _http_scheme(scheme: str) -> str:
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise InvalidSchema("the scheme is not http or https")
    return scheme


def _no_scheme(text: str) -> RequestException:
    meant = text.removeprefix("//")
    hint = f"; perhaps you meant https://{_shown(meant)}?"
    if not meant[:1].isalnum() or "@" in text:
        hint = ""
    # A colon comes first in "localhost:8080" too: Requests calls that an unknown scheme.
    if re.match(r"[^/?#:]+:", text):
        return InvalidSchema(f"the scheme is not http or https{hint}")
    return MissingSchema(f"no scheme given{hint}")


def _place(scheme: str, text: str) -> Authority:
    # Userinfo has no limit, and a Location can bring 64 KiB of it.
    if len(text) > MAX_CACHED:
        return _parse_authority(scheme, text)
    return _parse_authority_cached(scheme, text)


def _parse_authority(scheme: str, text: str) -> Authority:
    if _NEVER_IN_AUTHORITY.search(text):
        raise InvalidURL("a control character, space or backslash in the authority")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise InvalidURL(_why_no_authority(text))
    userinfo, host, port = match.groups()
    if not host:
        raise InvalidURL("no host given")
    if host.startswith("["):
        host = ipv6_literal(host)
    else:
        host = host_to_ascii(host)
    userinfo = quoted(userinfo, NOT_IN_USERINFO) if userinfo else None
    return Authority(scheme, userinfo, host, _port(port))


_parse_authority_cached = lru_cache(maxsize=1024)(_parse_authority)


def _why_no_authority(text: str) -> str:
    """The slow second look, when `_AUTHORITY` did not match."""
    if text.count("@") > 1:
        return "'@' more than once in the authority; in a password it is written %40"
    if "[" in text or "]" in text:
        return "brackets in the authority, but not around an IPv6 address"
    return "the port is not a number"


def _port(digits: str | None) -> int | None:
    """The port if one is written; "example.com:" has none (RFC 3986, 3.2.3)."""
    if not digits:
        return None
    digits = digits.lstrip("0")
    if not 1 <= len(digits) <= 5 or int(digits) > 65535:
        raise InvalidURL("the port is not between 1 and 65535")
    return int(digits)


def _decoded(octets: bytes) -> str:
    """What a peer or an old program means by `octets`: UTF-8 if it can be, else Latin-1."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


# For messages ---------------------------------------------------------------------------------


def without_secrets(href: str) -> str:
    """The `href` of a URL for an error message: without userinfo, query and fragment."""
    bare = re.split(r"[?#]", href, maxsplit=1)[0]
    return re.sub(rf"^({_SCHEME}://)[^/]*@", r"\1***@", bare)


def _shown(text: str) -> str:
    """`text` for an error message: its first characters, without userinfo, query and fragment."""
    if "@" in text:
        match = re.fullmatch(_CREDENTIALS, text)
        if match is None:
            # Perhaps a password with a delimiter in it: then nothing behind the scheme is safe.
            scheme = re.match(rf"{_SCHEME}://", text)
            return f"{scheme[0] if scheme else ''}***"
        text = f"{match[1]}***@{match[2]}"
    text = re.split(r"[?#]", text, maxsplit=1)[0]
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
