"""An HTTP/1.1 request on the wire (RFC 9112, 3 and 7): head, chunks, what must not be sent."""

from gofer.exceptions import InvalidMethod, LocalProtocolError
from gofer.messages.fields import TOKEN

__all__ = ["LAST_CHUNK", "check_content_length", "chunk", "encode_method", "request_head"]

LAST_CHUNK = b"0\r\n\r\n"

METHODS = {
    name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}


def request_head(method: str, target: bytes, host: bytes, fields: bytes) -> bytes:
    """The request line and the field section, Host first (RFC 9110, 7.2).

    Args:
        host: value of the Host field; b"" if `fields` has one.
        fields: encoded field lines, each ended by CRLF.

    Raises:
        InvalidMethod: the method is not a token.
    """
    method_bytes = METHODS.get(method) or encode_method(method, target)
    if not host:
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (method_bytes, target, fields)
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method_bytes, target, host, fields)


def encode_method(method: str, target: bytes) -> bytes:
    """A method for the wire.

    Raises:
        InvalidMethod: it is no token, or CONNECT.
    """
    # The answer to CONNECT has no end that could be known (RFC 9110, 9.3.6). Its own target is an
    # authority, which has no slash: that one is ours, to a proxy.
    if method == "CONNECT" and b"/" in target:
        raise InvalidMethod(
            "CONNECT is what a proxy is asked for a tunnel with, which gofer does by itself;"
            " expected proxies={'https': 'http://proxy.example:3128'} and another method"
        )
    if not TOKEN.fullmatch(method):
        raise InvalidMethod(f"method {method[:40]!r}: expected a token such as GET (RFC 9110, 9.1)")
    return method.encode()


def chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112, 7.1); `data` must not be empty, that would end the content."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def check_content_length(declared: str, length: int | None) -> None:
    """Refuse a Content-Length of the caller's that is not the length of the content.

    Raises:
        LocalProtocolError: they differ, or the value is not a number.
    """
    if not (declared.isascii() and declared.isdigit()):
        raise LocalProtocolError("the Content-Length given is not a number; leave it out")
    if length is not None and int(declared) != length:
        raise LocalProtocolError(
            f"the Content-Length given is {declared}, the content has {length} bytes;"
            " leave the field out"
        )
