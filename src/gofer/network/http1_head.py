"""The head of a request as HTTP/1.1 (RFC 9112, 3): fields of ours added, framing checked."""

from typing import Any

from gofer.exceptions import LocalProtocolError
from gofer.messages.fields import EncodedFields, Headers
from gofer.messages.request import PreparedRequest
from gofer.network.proxies import Proxy
from gofer.network.routes import Route
from gofer.protocols.http1_request import check_content_length, request_head

__all__ = ["checked_fields", "encode_head"]


def encode_head(request: PreparedRequest, route: Route) -> bytes:
    """Request line and header section, checked, as bytes of HTTP/1.1 (RFC 9112, 3).

    A proxy that forwards is given the target in absolute-form, and its credentials: the caller's
    own Proxy-Authorization, or those in its URL, or made from them. Nobody else is: at the end of a
    tunnel, or of a way around the proxy, is an origin (CVE-2023-32681).

    Raises:
        InvalidMethod, InvalidHeader, LocalProtocolError: it must not be sent like this.
    """
    url = request._url or request.url_parsed
    encoded = checked_fields(request)
    host = b"" if encoded.has_host else url.host_field
    if route.is_forwarding:
        proxy: Proxy = route.proxy  # type: ignore[assignment]
        if proxy.fields:
            headers = Headers(request.sent_headers)
            headers.update(proxy.fields)
            encoded = headers.encode()
        authorization = (
            request.proxy_credentials or encoded.proxy_authorization or proxy.authorization
        )
        fields = _with_authorization(encoded.data, authorization)
        return request_head(request.method, url.absolute, host, fields)
    fields = encoded.data
    if encoded.proxy_authorization is not None and route.may_meet_proxies:
        fields = _with_authorization(fields, encoded.proxy_authorization)
    return request_head(request.method, url.target, host, fields)


def _with_authorization(fields: bytes, authorization: str | None) -> bytes:
    if authorization is None:
        return fields
    return fields + b"Proxy-Authorization: %b\r\n" % authorization.encode("latin-1")


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
