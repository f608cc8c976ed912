"""Requests' `utils` module: the functions its users import, those of 2012 included.

What gofer does itself is imported from where it lives; this module has what only its users ask
for.
"""

import contextlib
import os
import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import parse_http_list as _split_list
from urllib.request import proxy_bypass

from gofer.codings import accept_encoding
from gofer.config import VERSION
from gofer.dropin import certs
from gofer.dropin.cookies import cookiejar_from_dict
from gofer.dropin.steps import get_netrc_auth, to_key_val_list
from gofer.exceptions import InvalidHeader, UnrewindableBodyError
from gofer.messages import content as contents
from gofer.messages.fields import FIELD_VALUE, TOKEN, check_field
from gofer.messages.media import encoding_from_headers as get_encoding_from_headers
from gofer.messages.media import guess_json_encoding as guess_json_utf
from gofer.messages.media import parse_link_header as parse_header_links
from gofer.messages.quoting import requote as requote_uri
from gofer.messages.quoting import unquote_unreserved
from gofer.messages.text import Decoded
from gofer.messages.url import DEFAULT_PORTS
from gofer.network.environment import NoProxy
from gofer.network.environment import read as read_environment
from gofer.precedence import default_headers

__all__ = [
    "DEFAULT_ACCEPT_ENCODING",
    "DEFAULT_CA_BUNDLE_PATH",
    "DEFAULT_PORTS",
    "HEADER_VALIDATORS",
    "NETRC_FILES",
    "UNRESERVED_SET",
    "add_dict_to_cookiejar",
    "address_in_network",
    "atomic_open",
    "check_header_validity",
    "cookiejar_from_dict",
    "decode_gzip",
    "default_headers",
    "default_user_agent",
    "dict_from_cookiejar",
    "dict_to_sequence",
    "dotted_netmask",
    "extract_zipped_paths",
    "from_key_val_list",
    "get_auth_from_url",
    "get_encoding_from_headers",
    "get_encodings_from_content",
    "get_environ_proxies",
    "get_netrc_auth",
    "get_unicode_from_response",
    "guess_filename",
    "guess_json_utf",
    "is_ipv4_address",
    "is_valid_cidr",
    "iter_slices",
    "parse_dict_header",
    "parse_header_links",
    "parse_list_header",
    "prepend_scheme_if_needed",
    "requote_uri",
    "resolve_proxies",
    "rewind_body",
    "select_proxy",
    "set_environ",
    "should_bypass_proxies",
    "stream_decode_response_unicode",
    "super_len",
    "to_key_val_list",
    "to_native_string",
    "unicode_is_ascii",
    "unquote_header_value",
    "unquote_unreserved",
    "urldefragauth",
]

NETRC_FILES = (".netrc", "_netrc")
DEFAULT_CA_BUNDLE_PATH = certs.where()
DEFAULT_ACCEPT_ENCODING = accept_encoding()
UNRESERVED_SET = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"  # RFC 3986, 2.3
)

# Field names and field values that can be sent, to `match` with.
HEADER_VALIDATORS = {
    str: (re.compile(rf"(?:{TOKEN.pattern})\Z"), re.compile(rf"(?:{FIELD_VALUE.pattern})\Z")),
    bytes: (
        re.compile(rb"(?:%s)\Z" % TOKEN.pattern.encode()),
        re.compile(rb"(?:%s)\Z" % FIELD_VALUE.pattern.encode()),
    ),
}

# Where HTML and XML declare their charset. No quantifier runs over a `<`: linear.
_DECLARED_CHARSETS = (
    re.compile(r"<meta\b(?![^<>]*\bcontent\s*=)[^<>]*?\bcharset\s*=\s*[\"']?([^\"'\s;/<>]+)", re.I),
    re.compile(r"<meta\b(?=[^<>]*\bcontent\s*=)[^<>]*?\bcharset\s*=\s*[\"']?([^\"'\s;/<>]+)", re.I),
    re.compile(r"^\s*<\?xml\b[^<>]*?\bencoding\s*=\s*[\"']([^\"'\s<>]+)"),
)


# Text and bytes -------------------------------------------------------------------------------


def to_native_string(string: str | bytes, encoding: str = "ascii") -> str:
    """`string` as str."""
    return string.decode(encoding) if isinstance(string, bytes) else string


def unicode_is_ascii(u_string: str) -> bool:
    """True if all of its characters are ASCII."""
    return u_string.isascii()


def iter_slices(string: Any, slice_length: int | None) -> Iterator[Any]:
    """`string` in pieces of that length; whole with None."""
    size = slice_length if slice_length and slice_length > 0 else len(string)
    for start in range(0, len(string), size or 1):
        yield string[start : start + size]


def stream_decode_response_unicode(iterator: Iterable[bytes], r: Any) -> Iterator[Any]:
    """The pieces of `iterator` as text by the encoding of the response `r`, if it has one."""
    if r.encoding is None:
        yield from iterator
        return
    step = Decoded(r.encoding)
    for piece in iterator:
        yield from step.feed(piece)
    yield from step.end()


def get_encodings_from_content(content: str) -> list[str]:
    """The charsets that a text in HTML or XML says it is in."""
    return [found for pattern in _DECLARED_CHARSETS for found in pattern.findall(content)]


def get_unicode_from_response(r: Any) -> str | bytes:
    """The content as text by the charset of its header section; as bytes if there is none."""
    encoding = get_encoding_from_headers(r.headers)
    if encoding is None:
        return r.content  # type: ignore[no-any-return]
    try:
        return str(r.content, encoding)
    except (UnicodeError, LookupError):
        return str(r.content, "utf-8", errors="replace")


def decode_gzip(content: bytes) -> bytes:
    """The content without its gzip coding.

    Raises:
        ContentDecodingError: it is not gzip, cut short, or grows beyond all reason.
    """
    from gofer.codings import Decoder

    return Decoder(("gzip",)).decode_whole(content)


# Pairs ----------------------------------------------------------------------------------------


def dict_to_sequence(d: Any) -> Any:
    """The pairs of a mapping; anything else as it is."""
    return d.items() if hasattr(d, "items") else d


def from_key_val_list(value: Any) -> "OrderedDict[Any, Any] | None":
    """A mapping, or pairs, as an OrderedDict; None stays None.

    Raises:
        ValueError: it is neither.
    """
    pairs = to_key_val_list(value)
    return None if pairs is None else OrderedDict(pairs)


# Field values ---------------------------------------------------------------------------------


def parse_list_header(value: str) -> list[str]:
    """The members of a list in a field value, without their quotes."""
    return [_unquoted(member) for member in _split_list(value)]


def parse_dict_header(value: str) -> dict[str, str | None]:
    """The `name=value` members of a list in a field value; None for a name without a value."""
    members = (member.partition("=") for member in _split_list(value))
    return {name: _unquoted(text) if equals else None for name, equals, text in members}


def _unquoted(text: str) -> str:
    return unquote_header_value(text) if text[:1] == text[-1:] == '"' else text


def unquote_header_value(value: Any, is_filename: bool = False) -> Any:
    """A quoted string without its quotes and backslashes; what is not quoted as it is.

    Args:
        is_filename: leave a path of Windows as it is, with the two backslashes it begins with.
    """
    if not value or not value[0] == value[-1] == '"':
        return value
    value = value[1:-1]
    if is_filename and value.startswith("\\\\"):
        return value
    return value.replace("\\\\", "\\").replace('\\"', '"')


def _parse_content_type_header(header: str) -> tuple[str, dict[str, str]]:
    # Tolerant, for other people's tests; gofer itself reads media types in `messages/media.py`.
    media_type, *pieces = header.split(";")
    parameters: dict[str, str] = {}
    for piece in pieces:
        name, equals, value = piece.strip().partition("=")
        name, value = name.strip("\"' "), value.strip("\"' ")
        if name and equals:
            parameters[name.lower()] = value
    return media_type.strip(), parameters


def check_header_validity(header: tuple[Any, Any]) -> None:
    """Complain of a field that cannot be sent.

    Raises:
        InvalidHeader: its name is no token, or its value holds a line break or begins with a space.
    """
    name, value = header
    check_field(name, value)
    if value[:1] in (" ", "\t", b" ", b"\t"):
        raise InvalidHeader(f"the value of {name!r:.40} begins with white space")


def default_user_agent(name: str = "gofer") -> str:
    """What User-Agent says: `name` and the version."""
    return f"{name}/{VERSION}"


# Content --------------------------------------------------------------------------------------


def super_len(o: Any) -> int:
    """Bytes, or items, from where `o` stands to its end; 0 if that cannot be known."""
    if hasattr(o, "tell") and not hasattr(o, "fileno"):
        try:
            o.tell()
        except OSError:
            return 0
    known = contents.length(o)
    if known is None and hasattr(o, "__len__"):
        known = len(o)
    return known or 0


def guess_filename(obj: Any) -> Any:
    """The last part of a file object's name; None if it has none worth telling."""
    name = getattr(obj, "name", None)
    if not name or not isinstance(name, str | bytes):
        return None
    first, last = (name[0], name[-1]) if isinstance(name, str) else (name[:1], name[-1:])
    if first in ("<", b"<") or last in (">", b">"):
        return None
    return os.path.basename(name)


def rewind_body(prepared_request: Any) -> None:
    """Put the content of a request back to where it stood when it was prepared.

    Raises:
        UnrewindableBodyError: that is not possible.
    """
    body = prepared_request.body
    seek = getattr(body, "seek", None)
    if seek is None or not isinstance(prepared_request._body_position, int):
        raise UnrewindableBodyError("Unable to rewind request body for redirect.")
    try:
        seek(prepared_request._body_position)
    except OSError as error:
        raise UnrewindableBodyError(
            "An error occurred when rewinding request body for redirect."
        ) from error


# Cookies --------------------------------------------------------------------------------------


def dict_from_cookiejar(cj: Any) -> dict[str, Any]:
    """The cookies of a jar as a dict of values by name."""
    return {cookie.name: cookie.value for cookie in cj}


def add_dict_to_cookiejar(cj: Any, cookie_dict: dict[str, Any]) -> Any:
    """The jar, with the cookies of the dict put into it."""
    return cookiejar_from_dict(cookie_dict, cj)


# URLs -----------------------------------------------------------------------------------------


def get_auth_from_url(url: str) -> tuple[str, str]:
    """User name and password in a URL, percent-decoded; ("", "") if there are none."""
    try:
        parts = urlsplit(url)
        return unquote(parts.username or ""), unquote(parts.password or "")
    except (TypeError, ValueError, AttributeError):
        return "", ""


def urldefragauth(url: str) -> str:
    """`url` without its fragment and its user name and password."""
    scheme, netloc, path, query, _ = urlsplit(url)
    if not netloc:
        netloc, slash, rest = path.partition("/")
        path = slash + rest
    return urlunsplit((scheme, netloc.rpartition("@")[2], path, query, ""))


def prepend_scheme_if_needed(url: str, new_scheme: str) -> str:
    """`url`, with `new_scheme` if it has none."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]*://", url):
        return url
    return f"{new_scheme}://{url.removeprefix('//')}"


# Proxies and the environment ------------------------------------------------------------------


def is_ipv4_address(string_ip: str) -> bool:
    """True for a dotted quad."""
    from ipaddress import AddressValueError, IPv4Address

    try:
        IPv4Address(string_ip)
    except AddressValueError:
        return False
    return True


def is_valid_cidr(string_network: str) -> bool:
    """True for an IPv4 network such as 192.0.2.0/24."""
    address, slash, bits = string_network.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()):
        return False
    return 1 <= int(bits[:3]) <= 32 and is_ipv4_address(address)


def address_in_network(ip: str, net: str) -> bool:
    """True if an IPv4 address is in a network such as 192.0.2.0/24."""
    from ipaddress import IPv4Address, IPv4Network

    return IPv4Address(ip) in IPv4Network(net, strict=False)


def dotted_netmask(mask: int) -> str:
    """The mask of that many bits as a dotted quad."""
    from ipaddress import IPv4Network

    return str(IPv4Network((0, mask)).netmask)


def should_bypass_proxies(url: str, no_proxy: str | None) -> bool:
    """True if `url` is to be reached without a proxy.

    Args:
        no_proxy: in the place of the environment's NO_PROXY.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if host is None:
        return True  # there is no host that a proxy could ask
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    if no_proxy is not None:
        return NoProxy(no_proxy).matches(host, port)
    return read_environment().bypasses_proxies(host, port) or bool(proxy_bypass(host))


def get_environ_proxies(url: str, no_proxy: str | None = None) -> dict[str, str]:
    """The environment's proxies for `url`, by scheme."""
    if should_bypass_proxies(url, no_proxy):
        return {}
    found = dict(read_environment().proxies)
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    return {**found, "no": listed} if listed else found


def select_proxy(url: str, proxies: Mapping[str, str] | None) -> str | None:
    """The proxy for `url`, by scheme://host, scheme, all://host or all."""
    parts = urlsplit(url)
    scheme, host = parts.scheme, parts.hostname
    named = () if host is None else (f"{scheme}://{host}",)
    for_all = () if host is None else (f"all://{host}",)
    for key in (*named, scheme, *for_all, "all"):
        if key in (proxies or {}):
            return proxies[key]  # type: ignore[index]
    return None


def resolve_proxies(
    request: Any, proxies: Mapping[str, str] | None, trust_env: bool = True
) -> dict[str, str]:
    """`proxies`, with the environment's for the URL of `request` where they say nothing."""
    merged = dict(proxies or {})
    scheme = urlsplit(request.url).scheme
    if trust_env and not should_bypass_proxies(request.url, merged.get("no_proxy")):
        found = get_environ_proxies(request.url, merged.get("no_proxy"))
        proxy = found.get(scheme, found.get("all"))
        if proxy:
            merged.setdefault(scheme, proxy)
    return merged


@contextlib.contextmanager
def set_environ(env_name: str, value: str | None) -> Iterator[None]:
    """An environment variable has that value for a while; None changes nothing."""
    if value is None:
        yield
        return
    before = os.environ.get(env_name)
    os.environ[env_name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[env_name]
        else:
            os.environ[env_name] = before


# Files ----------------------------------------------------------------------------------------


def extract_zipped_paths(path: str) -> str:
    """A path that leads into a zip archive, as one of a file that was taken out of it."""
    if os.path.exists(path):
        return path
    archive, member = path, ""
    while archive and not os.path.exists(archive):
        archive, last = os.path.split(archive)
        if not last:
            return path
        member = f"{last}/{member}" if member else last
    from zipfile import ZipFile, is_zipfile

    if not is_zipfile(archive):
        return path
    with ZipFile(archive) as opened:
        if member not in opened.namelist():
            return path
        extracted = os.path.join(tempfile.gettempdir(), member.rpartition("/")[2])
        if not os.path.exists(extracted):
            with atomic_open(extracted) as file:
                file.write(opened.read(member))
    return extracted


@contextlib.contextmanager
def atomic_open(filename: str) -> Iterator[Any]:
    """A file to write to, which is at `filename` when it is whole, and not before."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(filename) or ".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.replace(temporary, filename)
    except BaseException:
        os.remove(temporary)
        raise
