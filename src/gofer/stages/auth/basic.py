"""Basic credentials (RFC 7617): sent with the request, without waiting for a challenge."""

import re
import warnings
from binascii import b2a_base64
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import InvalidHeader
from gofer.stages.auth import AuthBase

__all__ = ["HTTPBasicAuth", "HTTPProxyAuth", "basic_auth_value"]

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def basic_auth_value(username: str | bytes, password: str | bytes) -> str:
    """The value of an Authorization field with Basic credentials.

    Text is sent as latin-1, as Requests does, or as UTF-8 if it does not fit; a server that says
    charset="UTF-8" (RFC 7617, 2.1) wants bytes from you: `username.encode()`.

    Raises:
        InvalidHeader: a control character, or a colon in the user name (RFC 7617, 2).
    """
    user, secret = _text(username, "username"), _text(password, "password")
    try:
        octets = _octets(user, "latin-1"), _octets(secret, "latin-1")
    except UnicodeEncodeError:  # one charset for both
        octets = _octets(user, "utf-8"), _octets(secret, "utf-8")
    if b":" in octets[0]:
        raise InvalidHeader(
            "Basic credentials: the user name holds a colon; the server would take what follows"
            " for the password (RFC 7617, 2)"
        )
    for octet_string, what in zip(octets, ("user name", "password"), strict=True):
        if _CONTROL.search(octet_string):
            raise InvalidHeader(
                f"Basic credentials: the {what} holds a line break or another control character;"
                " expected none (RFC 7617, 2)"
            )
    return "Basic " + b2a_base64(b"%b:%b" % octets, newline=False).decode("ascii")


def _text(value: Any, what: str) -> str | bytes:
    if isinstance(value, str | bytes):
        return value
    warnings.warn(
        f"Basic credentials: the {what} is {type(value).__name__}, expected str or bytes;"
        " write str(...) around it",
        DeprecationWarning,
        stacklevel=level_of_caller(),
    )
    return str(value)


def _octets(value: str | bytes, charset: str) -> bytes:
    return value if isinstance(value, bytes) else value.encode(charset)


class HTTPBasicAuth(AuthBase):
    """Sends Basic credentials with every request it is given to. `auth=(user, password)` is this.

    The password is readable by whoever reads the request: use it with https.
    """

    field = "Authorization"

    def __init__(self, username: Any, password: Any) -> None:
        self.username = username
        self.password = password

    def __call__(self, r: Any) -> Any:
        r.headers[self.field] = basic_auth_value(self.username, self.password)
        return r

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HTTPBasicAuth) or self.field != other.field:
            return NotImplemented
        return (self.username, self.password) == (other.username, other.password)

    __hash__ = None  # type: ignore[assignment]  # attributes may be set, as in Requests

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class HTTPProxyAuth(HTTPBasicAuth):
    """The same for a proxy, which alone is shown them: with an http URL, or when it is asked for a
    tunnel. Written into the proxy's URL, http://user:password@proxy/, they leave `auth` free for
    the origin.
    """

    field = "Proxy-Authorization"
