"""The head of a request as HTTP/2 and HTTP/3 have it: pseudo-header fields and lower case.

RFC 9113, 8.3 and RFC 9114, 4.3.
"""

from collections.abc import Callable

from gofer.exceptions import LocalProtocolError
from gofer.messages.request import PreparedRequest
from gofer.network.http1_head import checked_fields
from gofer.protocols.http1_request import METHODS, encode_method

__all__ = ["connecting_head", "head_of"]

# RFC 9113, 8.2.2: they speak of one connection. Host is :authority here.
_LEFT_OUT = frozenset(
    (b"connection", b"host", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
MAX_FIELDS = 1024 * 1024  # bytes; servers take a hundredth of that
_SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization"))

Field = tuple[bytes, bytes]


def head_of(
    request: PreparedRequest, never_indexed: Callable[[bytes, bytes], Field] | None
) -> list[Field]:
    """The field section of `request`, checked.

    Args:
        never_indexed: makes a field that no table of the compression may hold: what is secret.

    Raises:
        InvalidMethod, InvalidHeader, LocalProtocolError: it must not be sent like this.
    """
    url = request._url or request.url_parsed
    encoded = checked_fields(request)
    if encoded.other is None or encoded.other[0] is not never_indexed:
        encoded.other = never_indexed, *_fields_of(encoded.data, never_indexed)
    _, host, fields = encoded.other
    return [
        (b":method", METHODS.get(request.method) or encode_method(request.method, url.target)),
        (b":scheme", b"https" if url.scheme == "https" else b"http"),
        (b":authority", host or url.host_field),
        (b":path", url.target),
        *fields,
    ]


def connecting_head(head: list[Field], protocol: bytes) -> list[Field]:
    """`head` as the request to speak `protocol` on its stream (RFC 8441, 4)."""
    _, *rest = head
    # The stream is the proof that the server understands (RFC 8441, 5).
    fields = [field for field in rest if field[0] != b"sec-websocket-key"]
    return [(b":method", b"CONNECT"), (b":protocol", protocol), *fields]


def _fields_of(
    data: bytes, never_indexed: Callable[[bytes, bytes], Field] | None
) -> tuple[bytes, list[Field]]:
    """The value of Host, and the other fields of a section.

    Raises:
        LocalProtocolError: they are too large for any server.
    """
    if len(data) > MAX_FIELDS:
        raise LocalProtocolError(
            f"the header fields of the request have {len(data)} bytes, expected at most"
            f" {MAX_FIELDS}: send what is so large as content"
        )
    host = b""
    fields: list[Field] = []
    for line in data.split(b"\r\n"):
        name, separator, value = line.partition(b":")
        if not separator:
            continue
        name, value = name.lower(), value.strip(b" \t")
        if name in _SECRET and never_indexed is not None:
            fields.append(never_indexed(name, value))
        elif name not in _LEFT_OUT and (name != b"te" or value.lower() == b"trailers"):
            fields.append((name, value))
        elif name == b"host":
            host = value
    return host, fields
