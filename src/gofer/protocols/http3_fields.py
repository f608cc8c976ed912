"""The field sections of HTTP/3: those of responses, checked (RFC 9114, 4.2 and 4.3).

qh3 has decoded them by then, and seen to the pseudo-header fields and to lower case; the rest of
the rules, and the limits, are here; and how fields are sent that its encoder does not take.
"""

import re
from collections.abc import Sequence

from gofer.messages.fields import FieldSection
from gofer.protocols.http1 import Limits
from gofer.protocols.streams import LINE

__all__ = ["MOST_ENCODED", "Malformed", "TooLarge", "checked_trailers", "head_of", "literally"]

Field = tuple[bytes, bytes]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\n-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_STATUS = re.compile(rb"[1-9][0-9][0-9]")
_LENGTH = re.compile(rb"[0-9]{1,19}")

# They speak of one connection, which HTTP/3 does by other means (RFC 9114, 4.2).
_FORBIDDEN = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
MOST_ENCODED = 4096  # bytes of a value that qh3's QPACK encoder takes; and they have to be UTF-8


class Malformed(Exception):
    """The message is malformed: an error of its stream alone (RFC 9114, 4.1.2)."""


class TooLarge(Exception):
    """The section is larger than our limits."""


def head_of(lines: list[Field], limits: Limits) -> tuple[int, FieldSection, int | None]:
    """Status code, fields, and the length that they declare for the content, None without one.

    Raises:
        Malformed, TooLarge.
    """
    (name, status), *fields = lines
    if name != b":status" or _STATUS.fullmatch(status) is None:
        raise Malformed(f"the status is {status[:20]!r}")
    _check(fields, limits)
    section = FieldSection.of(fields, are_lower=True)
    if not section.has(b"content-length"):
        return int(status), section, None
    lengths = {value for name, value in fields if name == b"content-length"}
    length = lengths.pop()
    if lengths or _LENGTH.fullmatch(length) is None:
        raise Malformed(f"the content-length is {length[:20]!r}, or several")
    return int(status), section, int(length)


def checked_trailers(lines: list[Field], limits: Limits) -> list[Field]:
    """A trailer section.

    Raises:
        Malformed, TooLarge.
    """
    _check(lines, limits)
    return lines


def _check(fields: Sequence[Field], limits: Limits) -> None:
    if len(fields) > limits.max_fields:
        raise TooLarge(f"over {limits.max_fields} field lines")
    size = 0
    for name, value in fields:
        size += len(name) + len(value) + LINE
        if _NAME.fullmatch(name) is None:
            raise Malformed(f"{name[:40]!r} is no name of a field")
        if name in _FORBIDDEN:
            raise Malformed(f"the field {name.decode()} has no place in it")
        if _VALUE.fullmatch(value) is None:
            raise Malformed(f"the field {name[:40].decode()} has a value that it cannot have")
    if size > limits.max_field_section:
        raise TooLarge(f"over {limits.max_field_section} bytes of fields")


def literally(fields: Sequence[Field]) -> bytes:
    """A field section for the wire that refers to no table, each line never to be indexed.

    Source: RFC 9204, 4.5.1 and 4.5.6.
    """
    parts = [b"\0\0"]
    for name, value in fields:
        parts += (_integer(0x30, 3, len(name)), name, _integer(0, 7, len(value)), value)
    return b"".join(parts)


def _integer(flags: int, bits: int, number: int) -> bytes:
    """An integer behind the flags in its first byte (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if number < most:
        return bytes((flags | number,))
    encoded = [flags | most]
    number -= most
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
