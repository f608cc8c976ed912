"""The head of a request as HTTP/1.1 (RFC 9112, 3): fields of ours added, framing checked."""

from typing import Any

from gofer.exceptions import LocalProtocolError
from gofer.messages.fields import EncodedFields
from gofer.messages.request import PreparedRequest
from gofer.protocols.http1_request import check_content_length, request_head

__all__ = ["checked_fields", "encode_head"]


def encode_head(request: PreparedRequest, *, proxy_authorization: str | None = None,
                absolute: bool = False) -> bytes:  # fmt: skip
    """Request line and header section, checked, as bytes of HTTP/1.1 (RFC 9112, 3).

    Args:
        absolute: the request target in absolute-form, as a forwarding proxy wants it.
        proxy_authorization: for that proxy's eyes.

    Raises:
        InvalidMethod, InvalidHeader, LocalProtocolError: it must not be sent like this.
    """
    url = request._url or request.url_parsed
    encoded = checked_fields(request)
    fields = encoded.data
    if proxy_authorization is not None and not request.has_field("proxy-authorization"):
        fields += b"Proxy-Authorization: %b\r\n" % proxy_authorization.encode("latin-1")
    host = b"" if encoded.has_host else url.host_field
    return request_head(request.method, url.absolute if absolute else url.target, host, fields)


def checked_fields(request: PreparedRequest) -> EncodedFields:
    """The fields of `request`, with framing that is true.

    Raises:
        InvalidHeader, LocalProtocolError: it must not be sent like this.
    """
    encoded = request.encoded_fields()
    if encoded.is_framed or request.body is not None:
        _check_framing(request)
        encoded = request.encoded_fields()
    return encoded


def _check_framing(request: PreparedRequest) -> None:
    """Framing fields are ours: what the caller wrote must be true (RFC 9112, 6)."""
    headers, body = request.sent_headers, request.body
    coding = headers.get("transfer-encoding")
    length: Any = headers.get("content-length")  # str, or bytes
    if coding is not None and length is not None:
        raise LocalProtocolError(
            "both Content-Length and Transfer-Encoding are set; leave both out,"
            " gofer sets the right one"
        )
    if coding is not None and str(coding).lower() != "chunked":
        raise LocalProtocolError("the Transfer-Encoding given is not 'chunked'; leave it out")
    if coding is None and length is None and body is not None:
        request.prepare_content_length(body)  # type: ignore[attr-defined]
        return
    if length is None:
        if body is None:
            raise LocalProtocolError("Transfer-Encoding is set and there is no content to send")
        return
    from gofer.messages.content import is_stream
    from gofer.messages.content import length as length_of

    text = length.decode("latin-1") if isinstance(length, bytes) else str(length)
    if body is None:
        known: int | None = 0
    elif is_stream(body):
        known = None  # checked while it is sent
    else:
        known = length_of(body)
    check_content_length(text, known)
