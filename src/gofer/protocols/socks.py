"""The handshakes of SOCKS 4, 4a (no RFC; OpenSSH and curl agree) and 5 (RFC 1928, 1929).

Each is a generator without I/O: it yields the bytes to send and how many to read after them, and is
sent exactly those. No byte behind the handshake is ever read: it belongs to the origin. What an
answer may hold is bounded by the protocol itself: 262 bytes.
"""

from collections.abc import Generator
from ipaddress import ip_address

from gofer.exceptions import LocalProtocolError, ProxyError

__all__ = ["Handshake", "Refused", "greet_5", "request_4", "request_5"]

Handshake = Generator[tuple[bytes, int], bytes, None]

NO_AUTHENTICATION, USERNAME_PASSWORD, NONE_ACCEPTABLE = 0, 2, 0xFF
CONNECT = 1
IPV4, NAME, IPV6 = 1, 3, 4

_REFUSALS_4 = {
    0x5B: "rejected or failed",
    0x5C: "it could not ask this machine's identd",
    0x5D: "identd says that this is another user",
}
_REFUSALS_5 = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused by the host",
    6: "TTL expired",
    7: "it does not know CONNECT",
    8: "it does not know that kind of address",
}

# Another address of the same host may do; version 4 has one code for everything.
_ADDRESS_4 = frozenset((0x5B,))
_ADDRESS_5 = frozenset((3, 4, 5, 8))


class Refused(ProxyError):
    """The proxy does not connect us; `may_be_the_address`, and another one would do."""

    def __init__(self, reason: str, may_be_the_address: bool) -> None:
        super().__init__(f"refused: {reason}")
        self.may_be_the_address = may_be_the_address


def request_4(host: str, port: int, username: str) -> Handshake:
    """Ask for a connection to `host`, a dotted quad, or a name with SOCKS 4a.

    Raises:
        LocalProtocolError: a host that version 4 has no words for.
        ProxyError: the proxy refused, or did not answer in SOCKS 4.
    """
    name = b""
    try:
        address = ip_address(host)
    except ValueError:
        packed, name = b"\0\0\0\1", _ascii(host) + b"\0"  # 0.0.0.x: the name follows
    else:
        if address.version != 4:
            raise LocalProtocolError(
                f"asking a SOCKS 4 proxy for {host[:60]}: version 4 knows no IPv6; expected a"
                " socks5:// proxy"
            )
        packed = address.packed
    identity = username.encode()
    if b"\0" in identity:
        raise LocalProtocolError("asking a SOCKS 4 proxy: the user name holds a NUL")
    asked = b"\4\1" + port.to_bytes(2, "big") + packed + identity + b"\0" + name
    answer = yield asked, 8
    if answer[0] != 0:
        raise ProxyError(f"got {answer[:1]!r}, expected an answer in SOCKS 4")
    if answer[1] != 0x5A:
        code = answer[1]
        raise Refused(_REFUSALS_4.get(code, f"code {code}"), code in _ADDRESS_4)


def greet_5(username: str, password: str) -> Handshake:
    """Agree on how to authenticate, and do it.

    Raises:
        LocalProtocolError: user name or password is longer than 255 bytes.
        ProxyError: nothing was agreed on, or the credentials are wrong.
    """
    login, secret = username.encode(), password.encode()
    if max(len(login), len(secret)) > 255:
        raise LocalProtocolError(
            "asking a SOCKS 5 proxy: the user name or password has more than 255 bytes"
            " (RFC 1929, 2)"
        )
    has_login = bool(login or secret)
    methods = bytes((NO_AUTHENTICATION, USERNAME_PASSWORD) if has_login else (NO_AUTHENTICATION,))
    answer = yield b"\5" + bytes((len(methods),)) + methods, 2
    if answer[0] != 5:
        raise ProxyError(f"got {answer!r}, expected an answer in SOCKS 5")
    method = answer[1]
    if method == NONE_ACCEPTABLE:
        known = "credentials sent" if has_login else "its URL has no credentials"
        raise ProxyError(f"it accepts none of our ways to authenticate ({known})")
    if method not in methods:
        raise ProxyError(f"it chose way {method} to authenticate, which was not offered")
    if method == USERNAME_PASSWORD:
        answer = yield (
            b"\1" + bytes((len(login),)) + login + bytes((len(secret),)) + secret,
            2,
        )
        if answer[1] != 0:
            raise ProxyError("it does not accept the user name and password")


def request_5(host: str, port: int) -> Handshake:
    """Ask for a connection to `host`: an address, or a name that the proxy looks up.

    Raises:
        LocalProtocolError: a name of more than 255 bytes.
        ProxyError: the proxy refused, or broke the rules.
    """
    try:
        address = ip_address(host.partition("%")[0])  # the zone means something here only
    except ValueError:
        name = _ascii(host)
        destination = bytes((NAME, len(name))) + name
    else:
        kind = IPV4 if address.version == 4 else IPV6
        destination = bytes((kind,)) + address.packed
    answer = yield bytes((5, CONNECT, 0)) + destination + port.to_bytes(2, "big"), 5
    if answer[0] != 5:
        raise ProxyError(f"got {answer[:2]!r}, expected an answer in SOCKS 5")
    if answer[1] != 0:
        code = answer[1]
        raise Refused(_REFUSALS_5.get(code, f"code {code}"), code in _ADDRESS_5)
    # The address it connected from is skipped; its first byte has been read already.
    sizes = {IPV4: 4, NAME: 1 + answer[4], IPV6: 16}
    if answer[3] not in sizes:
        raise ProxyError(f"got an address of kind {answer[3]}, expected IPv4, IPv6 or a name")
    yield b"", sizes[answer[3]] - 1 + 2


def _ascii(name: str) -> bytes:
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= 255 or b"\0" in encoded:
        raise LocalProtocolError(
            f"asking a SOCKS proxy for {name[:60]!r}: expected a name of 1 to 255 bytes"
        )
    return encoded
