"""Target URIs: what the caller wrote, or a Location said, read in exactly one way.

A `URL` is made by `parse`, `with_params` or `resolve` and never changes; everything the request
path asks of it is computed once. Reading follows RFC 3986 where WHATWG's URL standard agrees, so
that the host we report is the host we connect to; where the two differ about the authority, the
URL is refused. Quoting is that of Requests. State: three caches, of whole URLs, of authorities
and of hosts. Name resolution, IRIs for display and other schemes are left to others.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gofer.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException

__all__ = [
    "URL",
    "encode_form",
    "host_to_ascii",
    "parse",
    "requote",
    "resolve",
    "same_origin",
    "unquote_unreserved",
    "with_params",
]

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LOCATION = 64 * 1024  # bytes; Chromium takes 2 MB
MAX_CACHED = 1024  # characters; what is longer is parsed again rather than kept in memory
MAX_QUOTED = 40  # characters of a URL in an error message
MAX_LABEL = 63  # octets (RFC 1035, 2.3.4)
MAX_HOST = 253  # octets: the 255 of RFC 1035, 2.3.4, in text form

# RFC 3986, 2 and 3. Quantifiers are possessive: one pass, whatever the input.
_UNRESERVED = r"A-Za-z0-9\-._~"
_SUB_DELIMS = r"!$&'()*+,;="
_USERINFO = rf"{_UNRESERVED}{_SUB_DELIMS}:"
_PATH = rf"{_USERINFO}@/"
_QUERY = rf"{_PATH}?"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*+"

# An escape that stays: upper case, and not of an unreserved character (RFC 3986, 6.2.2).
_NORMAL_ESCAPE = r"%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])"

# Every URL meets these.
_REFERENCE = re.compile(  # RFC 3986, appendix B
    rf"(?:({_SCHEME}):)?+(?://([^/?#]*+))?+([^?#]*+)(?:\?([^#]*+))?+(?:\#(.*+))?+", re.DOTALL
)
_AUTHORITY = re.compile(r"(?:([^@\[\]]*+)@)?+(\[[^@\[\]]*+\]|[^@:\[\]]*+)(?::([0-9]*+))?+")
_NEVER_IN_AUTHORITY = re.compile(r"[\x00-\x20\x7f\\\s]")
_PLAIN_HOST = re.compile(r"(?:[a-z0-9_\-]{1,63}+\.)*+[a-z_][a-z0-9_\-]{0,62}+")
_NORMAL_PATH = re.compile(rf"(?:[{_PATH}]++|{_NORMAL_ESCAPE})*+")
_NORMAL_QUERY = re.compile(rf"(?:[{_QUERY}]++|{_NORMAL_ESCAPE})*+")

# Few meet the others: `re` compiles them when they are first used, which saves 1.4 ms of the
# import.
_NOT_IN_USERINFO = rf"[^{_USERINFO}%]++"
_NOT_IN_PATH = rf"[^{_PATH}%]++"
_NOT_IN_QUERY = rf"[^{_QUERY}%]++"  # nor in a fragment: the grammar is the same
_NOT_IN_URI = rf"[^{_QUERY}\#\[\]%]++"
_NOT_IN_URI_NOR_PERCENT = rf"[^{_QUERY}\#\[\]]++"
_NOT_IN_FORM = rf"[^{_UNRESERVED}]++"
_CONTROL = r"[\x00-\x1f\x7f]"
_NOT_VISIBLE = r"[^!-~]"
_ESCAPE = r"%([0-9A-Fa-f]{2})"
_BROKEN_ESCAPE = r"%(?![0-9A-Fa-f]{2})"
_MISSPELT_ESCAPE = r"%(?![0-9A-Fa-f]{2})[^\W_]{2}"
_REG_NAME = rf"(?!\*)[{_UNRESERVED}{_SUB_DELIMS}]++"
_NUMBER = r"[0-9]++|0[xX][0-9A-Fa-f]*+"
_ZONE = rf"[{_UNRESERVED}]++"
_ZERO_GROUPS = r"\b0(?::0)++\b"
_CREDENTIALS = rf"({_SCHEME}://)[^/?#@\\]*+@([^@?#]*+)[^@]*+"

_ESCAPED = [f"%{octet:02X}" for octet in range(256)]
_UNRESERVED_ESCAPES = {
    f"%{octet:02X}": chr(octet)
    for octet in range(128)
    if chr(octet).isalnum() or chr(octet) in "-._~"
}


class _Authority:
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


class _Parts:
    """What a URL holds, while it is being put together. See `_url`."""

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
    _place: _Authority


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
        return _percent_decoded(self.userinfo.partition(":")[0])

    @property
    def password(self) -> str | None:
        """The password, percent-decoded, or None if there is none."""
        _, colon, password = (self.userinfo or "").partition(":")
        return _percent_decoded(password) if colon else None

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


def _url(place: _Authority, path: str, query: str | None, fragment: str | None) -> URL:
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
    return _url(_place(scheme, authority), path, query, fragment)


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
            path = _normal_path(path)
            query = query and _normal_query(query)
        elif re.search(_NOT_VISIBLE, path) or (query and re.search(_NOT_VISIBLE, query)):
            raise InvalidURL("a space, control or non-ASCII character, and encode_uri is off")
        return _url(place, path or "/", query, fragment and _normal_query(fragment))
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

    return _url(
        place,
        _normal_path(path) or "/",
        query and _normal_query(query),
        base.fragment if fragment is None else _normal_query(fragment),
    )


def with_params(url: URL, params: object) -> URL:
    """`url` with `params` behind its query; the same object if there is nothing to add.

    Raises:
        InvalidURL: if text given as params is not Unicode.
        ValueError: if params are neither text, a mapping, nor pairs.
    """
    encoded = encode_form(params) if params is not None else ""
    if isinstance(encoded, bytes):
        encoded = _decoded(encoded)
    if not encoded:
        return url
    # Quoted here, so that "#" in ready text cannot end the query.
    added = _normal_query(encoded)
    query = f"{url.query}&{added}" if url.query else added
    return _url(url._place, url.path, query, url.fragment)


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
    return "".join([_ESCAPED[octet] for octet in match[0].encode("latin-1")]).replace("%20", "+")


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


def _place(scheme: str, text: str) -> _Authority:
    # Userinfo has no limit, and a Location can bring 64 KiB of it.
    if len(text) > MAX_CACHED:
        return _parse_authority(scheme, text)
    return _parse_authority_cached(scheme, text)


def _parse_authority(scheme: str, text: str) -> _Authority:
    if _NEVER_IN_AUTHORITY.search(text):
        raise InvalidURL("a control character, space or backslash in the authority")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise InvalidURL(_why_no_authority(text))
    userinfo, host, port = match.groups()
    if not host:
        raise InvalidURL("no host given")
    if host.startswith("["):
        host = _ipv6_literal(host)
    else:
        host = host_to_ascii(host)
    userinfo = _quoted(userinfo, _NOT_IN_USERINFO) if userinfo else None
    return _Authority(scheme, userinfo, host, _port(port))


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


# Hosts ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def host_to_ascii(host: str) -> str:
    """`host` as it is looked up and compared: A-labels in lower case, or an IP address.

    IDNA 2008 after the mapping of UTS 46. Every way to write an IPv4 address that a resolver
    takes (127.1, 0x7f000001, 2130706433) becomes a dotted quad before anybody compares it;
    IPv6, in brackets or not, becomes RFC 5952's form without them. One trailing dot stays.

    Raises:
        InvalidURL: if it is not a host.
    """
    if _PLAIN_HOST.fullmatch(host) and len(host) <= MAX_HOST:
        return host
    if ":" in host:
        in_brackets = host.startswith("[") and host.endswith("]")
        return _ipv6_literal(host) if in_brackets else _ipv6(host)
    # Three characters of an escape for each of the four octets UTF-8 may take.
    if len(host) > 12 * MAX_HOST:
        raise InvalidURL("the host is too long")
    if "%" in host:
        host = _unescaped_host(host)
    if not host.isascii():
        host = _idna(host)
    host = host.lower()
    if not re.fullmatch(_REG_NAME, host):
        raise InvalidURL("a character in the host that no host has")
    if re.fullmatch(_NUMBER, host.removesuffix(".").rpartition(".")[2]):
        return _ipv4(host)
    _check_labels(host.removesuffix("."))
    return host


def _check_labels(name: str) -> None:
    if len(name) > MAX_HOST:
        raise InvalidURL(f"the host is over {MAX_HOST} octets")
    for label in name.split("."):
        if not label:
            raise InvalidURL("an empty label in the host")
        if len(label) > MAX_LABEL:
            raise InvalidURL(f"a label of the host is over {MAX_LABEL} octets")


def _unescaped_host(host: str) -> str:
    """`host` without escapes. Only letters, digits and "-._~" may hide in them, so that nothing
    turns into a delimiter afterwards."""
    for octet in re.findall(_ESCAPE, host):
        escape = f"%{octet.upper()}"
        if escape < "%80" and escape not in _UNRESERVED_ESCAPES:
            raise InvalidURL("an escaped delimiter in the host")
    try:
        return _percent_decoded(host, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidURL("escapes in the host that are not UTF-8") from error


def _idna(host: str) -> str:
    import idna  # 18 ms

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError as error:
        raise InvalidURL("the host is not a name by IDNA 2008") from error


def _ipv4(host: str) -> str:
    """The dotted quad of a host whose last label is a number (WHATWG URL, 3.5, "IPv4 parser").

    A leading 0 means octal, as it does to inet_aton.
    """
    labels = host.removesuffix(".").split(".")
    try:
        *first, last = [_ipv4_number(label) for label in labels]
    except ValueError as error:
        raise InvalidURL("the host ends in a number but is not an IPv4 address") from error
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        raise InvalidURL("the host ends in a number but is not an IPv4 address")
    address = last
    for place, number in enumerate(first):
        address += number << (24 - 8 * place)
    return ".".join([str(octet) for octet in address.to_bytes(4, "big")])


def _ipv4_number(label: str) -> int:
    if not re.fullmatch(_NUMBER, label) or len(label) > MAX_LABEL:
        raise ValueError(label)
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if label.startswith("0") else 10)


def _ipv6_literal(literal: str) -> str:
    """The address in brackets. Its zone is written "%25eth0" (RFC 6874), by most "%eth0"."""
    address, percent, zone = literal[1:-1].partition("%")
    if zone.startswith("25"):
        zone = zone[2:]
    elif re.match(_ESCAPE, percent + zone):
        raise InvalidURL("an escape in the IPv6 address; a zone begins with %25")
    return _ipv6(address + percent + zone)


def _ipv6(text: str) -> str:
    """The address in the form of RFC 5952, all in hexadecimal, and its zone behind "%"."""
    from ipaddress import IPv6Address

    address, percent, zone = text.partition("%")
    if percent and not re.fullmatch(_ZONE, zone):
        raise InvalidURL("a bad zone in the IPv6 address")
    try:
        octets = IPv6Address(address).packed
    except ValueError as error:
        raise InvalidURL("not an IPv6 address in the brackets") from error
    # By hand: Python 3.13 changed how it writes addresses that hold an IPv4 one.
    groups = ":".join([f"{octets[i] << 8 | octets[i + 1]:x}" for i in range(0, 16, 2)])
    longest = max(re.finditer(_ZERO_GROUPS, groups), key=lambda run: len(run[0]), default=None)
    if longest is not None:
        before, after = groups[: longest.start()], groups[longest.end() :]
        groups = f"{before.rstrip(':')}::{after.lstrip(':')}"
    return groups + percent + zone


# Quoting --------------------------------------------------------------------------------------


def requote(text: str) -> str:
    """A whole URI with illegal characters escaped and escapes of unreserved ones undone.

    As Requests' `requote_uri`: if an escape is broken, every "%" is taken for data.

    Raises:
        InvalidURL: if `text` is not Unicode.
    """
    try:
        return _escape(unquote_unreserved(text), _NOT_IN_URI)
    except InvalidURL:
        return _escape(text, _NOT_IN_URI_NOR_PERCENT)


def unquote_unreserved(text: str) -> str:
    """`text` with the escapes of letters, digits and "-._~" undone (RFC 3986, 2.3).

    Raises:
        InvalidURL: if "%" is followed by two letters or digits that are not hexadecimal.
    """
    if re.search(_MISSPELT_ESCAPE, text):
        raise InvalidURL("undoing escapes: '%' before two characters that are not hexadecimal")
    return re.sub(_ESCAPE, lambda match: _UNRESERVED_ESCAPES.get(match[0].upper(), match[0]), text)


def _normal_path(path: str) -> str:
    """A path as it is sent; `path` itself if it is so already, which is the rule."""
    if not _NORMAL_PATH.fullmatch(path):
        path = _quoted(path, _NOT_IN_PATH)
    # After quoting, so that "%2e%2e" is seen for what it is.
    return _without_dot_segments(path) if "/." in path else path


def _normal_query(query: str) -> str:
    """A query or a fragment as it is sent; `query` itself if it is so already."""
    return query if _NORMAL_QUERY.fullmatch(query) else _quoted(query, _NOT_IN_QUERY)


def _quoted(text: str, illegal: str) -> str:
    """One component with its escapes in normal form and what is `illegal` escaped."""
    if "%" in text:
        if re.search(_BROKEN_ESCAPE, text):
            text = text.replace("%", "%25")  # somebody's "100%": Requests takes all for data
        else:
            text = re.sub(_ESCAPE, _normal_escape, text)
    return _escape(text, illegal)


def _normal_escape(match: re.Match[str]) -> str:
    escape = match[0].upper()
    return _UNRESERVED_ESCAPES.get(escape, escape)


def _escape(text: str, illegal: str) -> str:
    try:
        return re.sub(illegal, _escaped, text)
    except UnicodeEncodeError as error:
        raise InvalidURL("a lone surrogate, which is no Unicode text") from error


def _escaped(match: re.Match[str]) -> str:
    return "".join([_ESCAPED[octet] for octet in match[0].encode("utf-8")])


def _percent_decoded(text: str, errors: str = "replace") -> str:
    from urllib.parse import unquote

    return unquote(text, errors=errors)


def _decoded(octets: bytes) -> str:
    """What a peer or an old program means by `octets`: UTF-8 if it can be, else Latin-1."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _without_dot_segments(path: str) -> str:
    """RFC 3986, 5.2.4, in one pass."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


# For messages ---------------------------------------------------------------------------------


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
