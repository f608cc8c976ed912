"""Requests' `utils` module: the functions its users import, those of 2012 included."""

import re
from time import monotonic
from typing import Any

from gofer.dropin.cookies import cookiejar_from_dict
from gofer.exceptions import RequestException
from gofer.messages.content import length as super_len
from gofer.messages.media import encoding_from_headers as get_encoding_from_headers
from gofer.messages.quoting import requote as requote_uri
from gofer.messages.quoting import unquote_unreserved
from gofer.messages.url import parse
from gofer.network.environment import read as read_environment
from gofer.stages.auth.netrc import lookup

__all__ = [
    "add_dict_to_cookiejar",
    "cookiejar_from_dict",
    "decode_gzip",
    "dict_from_cookiejar",
    "get_encoding_from_headers",
    "get_encodings_from_content",
    "get_netrc_auth",
    "get_unicode_from_response",
    "requote_uri",
    "super_len",
    "unquote_unreserved",
]

# Where HTML and XML declare their charset. No quantifier runs over a `<`: linear.
_DECLARED_CHARSETS = (
    re.compile(r"<meta\b[^<>]*?\bcharset\s*=\s*[\"']?([^\"'\s;/<>]+)", re.IGNORECASE),
    re.compile(r"^\s*<\?xml\b[^<>]*?\bencoding\s*=\s*[\"']([^\"'\s<>]+)"),
)


def dict_from_cookiejar(cj: Any) -> dict[str, Any]:
    """The cookies of a jar as a dict of values by name."""
    return {cookie.name: cookie.value for cookie in cj}


def add_dict_to_cookiejar(cj: Any, cookie_dict: dict[str, Any]) -> Any:
    """The jar, with the cookies of the dict put into it."""
    return cookiejar_from_dict(cookie_dict, cj)


def get_encodings_from_content(content: str) -> list[str]:
    """The charsets that a text in HTML or XML says it is in."""
    return [found for pattern in _DECLARED_CHARSETS for found in pattern.findall(content)]


def get_netrc_auth(url: Any, raise_errors: bool = False) -> tuple[str, str] | None:
    """User name and password that netrc has for the host of `url`; None if it has none.

    Args:
        raise_errors: of no effect: a file that cannot be read holds nothing.
    """
    del raise_errors
    try:
        host = parse(url).host
    except RequestException:
        return None
    return lookup(host, read_environment().netrc, monotonic())


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
