"""The head of a request as HTTP/2 has it (RFC 9113, 8.3): pseudo-header fields and lower case."""

import ngh2

from gofer.messages.request import PreparedRequest
from gofer.network.http1_head import checked_fields
from gofer.protocols.http1_request import encode_method

__all__ = ["head_of"]

# RFC 9113, 8.2.2: they speak of one connection. Host is :authority here.
_LEFT_OUT = frozenset(
    (b"connection", b"host", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization"))


def head_of(request: PreparedRequest) -> list[tuple[bytes, bytes]]:
    """The field section of `request`, checked. What is secret is never put into an HPACK table.

    Raises:
        InvalidMethod, InvalidHeader, LocalProtocolError: it must not be sent like this.
    """
    url = request._url or request.url_parsed
    encoded = checked_fields(request)
    if encoded.other is None:
        encoded.other = _fields_of(encoded.data)
    host, fields = encoded.other
    return [
        (b":method", encode_method(request.method, url.target)),
        (b":scheme", b"https" if url.scheme == "https" else b"http"),
        (b":authority", host or url.host_field),
        (b":path", url.target),
        *fields,
    ]


def _fields_of(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The value of Host, and the other fields of a section as HTTP/2 has them."""
    host = b""
    fields: list[tuple[bytes, bytes]] = []
    for line in data.split(b"\r\n"):
        name, separator, value = line.partition(b":")
        if not separator:
            continue
        name, value = name.lower(), value.strip(b" \t")
        if name in _SECRET:
            fields.append(ngh2.NeverIndexedHeader(name, value))
        elif name not in _LEFT_OUT and (name != b"te" or value.lower() == b"trailers"):
            fields.append((name, value))
        elif name == b"host":
            host = value
    return host, fields
