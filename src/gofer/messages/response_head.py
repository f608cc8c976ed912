"""`ResponseHead`: a response's status, and the fields that came with it, before it and after it.

A field section stays the bytes it came as until somebody asks for a field.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gofer.messages.fields import FieldSection, Headers
from gofer.messages.status_codes import reason_phrase

__all__ = ["REDIRECT_STATUS_CODES", "ResponseHead"]

REDIRECT_STATUS_CODES = frozenset((301, 302, 303, 307, 308))

# Fields that mean nothing, or harm, in a trailer section (RFC 9110, 6.5.1)
_NOT_IN_TRAILERS = frozenset(
    (b"content-length", b"transfer-encoding", b"set-cookie", b"authorization", b"host",
     b"www-authenticate", b"proxy-authenticate", b"content-encoding", b"content-type", b"trailer")
)  # fmt: skip

_UNSET: Any = object()


class ResponseHead:
    """What a response says before its content, and in the trailer section behind it."""

    if TYPE_CHECKING:  # None in one that somebody makes; typing.get_type_hints must not meet this
        status_code: int
    else:
        status_code = None
    version = "HTTP/1.1"
    fields: FieldSection = FieldSection(b"\r\n\r\n")
    _headers: Any = None
    _reason: Any = _UNSET
    _interim: Sequence[tuple[int, FieldSection]] | None = None
    _take_trailers: Callable[[], Sequence[tuple[bytes, bytes]]] | None = None

    @property
    def reason(self) -> str | None:
        """The reason phrase as it came, or the usual one."""
        if self._reason is not _UNSET:
            return self._reason  # type: ignore[no-any-return]
        line = self.fields.block.partition(b"\r\n")[0]
        phrase = line[13:].decode("latin-1")
        if not phrase.isprintable():  # the parser lets control characters through
            phrase = "".join([" " if char < " " or char == "\x7f" else char for char in phrase])
        return phrase or (reason_phrase(self.status_code) if self.status_code else None)

    @reason.setter
    def reason(self, value: Any) -> None:
        self._reason = value

    @property
    def headers(self) -> Headers:
        """The header fields, case-insensitive."""
        headers: Headers | None = self._headers
        if headers is None:
            headers = self._headers = Headers.received(self.fields)
        return headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = value

    @property
    def is_redirect(self) -> bool:
        """True if this says where to go on (a Location, and a status code that means it)."""
        return "location" in self.headers and self.status_code in REDIRECT_STATUS_CODES

    @property
    def is_permanent_redirect(self) -> bool:
        """True if it says so for good (301, 308)."""
        return "location" in self.headers and self.status_code in (301, 308)

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The Link field, by relation or else by URL (RFC 8288)."""
        from gofer.messages.media import parse_link_header

        value = self.headers.get("link")
        if not value:
            return {}
        return {link.get("rel") or link["url"]: link for link in parse_link_header(value)}

    @property
    def interim(self) -> list[tuple[int, Headers]]:
        """The 1xx heads that came before: status code and header fields of each."""
        return [(status, Headers.received(fields)) for status, fields in self._interim or ()]

    @property
    def trailers(self) -> Headers:
        """The trailer fields, there once the content has been read; never merged into `headers`.

        Those that have no business there are left out (RFC 9110, 6.5.1).
        """
        if self._take_trailers is None:
            return Headers()
        lines = [line for line in self._take_trailers() if line[0].lower() not in _NOT_IN_TRAILERS]
        return Headers.received(FieldSection.of(lines))
