"""Asking an HTTP proxy for a tunnel: the CONNECT request and its answer (RFC 9110, 9.3.6).

`connect_request` writes the question; `ConnectReader` reads the answer's head, one per
connection. Content of the answer is never read: a proxy that refuses is not the origin, so what
it wants to show is nobody's response. What to do with a refusal is decided in `network/dial.py`.
"""

import re
from collections.abc import Iterable

from gofer.exceptions import LocalProtocolError, ProxyError
from gofer.messages.fields import FieldSection, check_field
from gofer.protocols.http1_request import request_head

__all__ = ["MAX_HEAD", "ConnectReader", "ConnectResponse", "connect_request"]

MAX_HEAD = 256 * 1024  # bytes, interim responses included; curl 300 kB, Chromium 256 kB

# reg-name without percent-encoding, or an IPv6 address (RFC 3986, 3.2.2)
_NAME = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=]{1,255}")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")

# status-line *( field-line CRLF ) CRLF (RFC 9112, 4 and 5); no line folding
_HEAD = re.compile(
    rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*"
    rb"\r\n"
)
_HEAD_START = b"HTTP/1."
_LONE_LF = re.compile(rb"(?<!\r)\n")


def connect_request(
    host: str,
    port: int,
    authorization: str | None = None,
    user_agent: str | None = None,
    more: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The bytes that ask a proxy for a tunnel to `host`:`port` (authority-form, RFC 9112, 3.2.3).

    Args:
        host: a name or an address, IPv6 without brackets. A zone is left out: it means
            something on this machine only.
        authorization: value of Proxy-Authorization; the proxy alone sees it.
        more: other fields; a User-Agent in the place of `user_agent`.

    Raises:
        LocalProtocolError: host or port could not be read back as they were meant.
        InvalidHeader: a field value that cannot be sent.
    """
    if ":" in host:
        host = host.partition("%")[0]
        if not _IPV6.fullmatch(host):
            raise LocalProtocolError(f"writing CONNECT: got host {host[:40]!r}, expected IPv6")
        authority = f"[{host}]:{port}".encode()
    elif _NAME.fullmatch(host):
        authority = f"{host}:{port}".encode()
    else:
        raise LocalProtocolError(
            f"writing CONNECT: got host {host[:40]!r}, expected an ASCII name or address"
        )
    if not 0 < port < 65536:
        raise LocalProtocolError(f"writing CONNECT: got port {port}, expected 1 to 65535")

    wanted = {"user-agent": ("User-Agent", user_agent)}
    wanted |= {name.lower(): (name, value) for name, value in more}
    wanted["proxy-authorization"] = "Proxy-Authorization", authorization
    fields = b""
    for name, value in wanted.values():
        if value is not None:
            fields += b"%s: %s\r\n" % check_field(name, value)
    return request_head("CONNECT", authority, authority, fields)


class ConnectResponse:
    """The head of a proxy's final answer.

    Attributes:
        leftover: what came behind the head; content of a refusal, never of a tunnel.
    """

    __slots__ = ("fields", "leftover", "reason", "status")

    def __init__(self, status: int, reason: bytes, fields: FieldSection, leftover: bytes) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.leftover = leftover

    @property
    def is_tunnel(self) -> bool:
        """True if from here on the connection leads to the origin: any 2xx."""
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        return f"<ConnectResponse {self.status}, {len(self.fields)} fields>"


class ConnectReader:
    """Reads the head of a proxy's answer to CONNECT, in any split, in bounded memory.

    Interim responses are skipped. Content-Length and Transfer-Encoding of a 2xx mean nothing
    (RFC 9110, 9.3.6), so they are not looked at.
    """

    __slots__ = ("_buffer", "_is_checked", "_max_head", "_proxy", "_skipped")

    def __init__(self, proxy: str = "the proxy", *, max_head: int = MAX_HEAD) -> None:
        self._proxy = proxy  # for messages
        self._max_head = max_head
        self._buffer = bytearray()
        self._skipped = 0  # bytes of interim responses
        self._is_checked = False  # the first bytes look like HTTP

    def feed(self, data: bytes) -> ConnectResponse | None:
        """The proxy's answer, or None while its head is incomplete.

        Args:
            data: what was received; b"" is the end of the stream.

        Raises:
            ProxyError: this is not HTTP/1, the head is over its limit, the proxy closed the
                connection, switched protocols, or sent bytes behind a 2xx: nothing may come
                from the origin before TLS has been asked for (CVE-2021-22947).
        """
        if not data:
            raise self._error(
                f"the proxy closed the connection after {len(self._buffer)} bytes of a head"
            )
        searched = max(0, len(self._buffer) - 3)
        self._buffer += data
        while (end := self._find_end(searched)) >= 0:
            response = self._parse(end)
            if response is not None:
                return response
            searched = 0  # an interim response was taken out of the buffer
        return None

    def _find_end(self, searched: int) -> int:
        """Where the first head in the buffer ends, or -1 while that is not known."""
        buffer = self._buffer
        if not self._is_checked:
            if not buffer.startswith(_HEAD_START[: len(buffer)]):
                raise self._not_http()
            self._is_checked = len(buffer) >= len(_HEAD_START)
        end = buffer.find(b"\r\n\r\n", searched)
        size = end + 4 if end >= 0 else len(buffer)
        if self._skipped + size > self._max_head:
            raise self._error(f"head over {self._max_head} bytes")
        if end >= 0:
            return size
        # Refused at once: such a proxy thinks that its head is complete and would send no more.
        if _LONE_LF.search(buffer, searched):
            raise self._error("a line of the head ends without CR")
        return -1

    def _parse(self, end: int) -> ConnectResponse | None:
        """The response whose head takes `end` bytes of the buffer; None if it is interim."""
        buffer = self._buffer
        head = bytes(buffer[:end])
        match = _HEAD.fullmatch(head)
        if match is None:
            raise self._not_http()
        status = int(match[1])
        if status == 101:
            raise self._error("got 101 Switching Protocols, which nobody asked for")
        if status < 200:
            del buffer[:end]
            self._skipped += end
            self._is_checked = False
            return None

        response = ConnectResponse(status, match[2] or b"", FieldSection(head), bytes(buffer[end:]))
        if response.is_tunnel and response.leftover:
            raise self._error(
                f"{len(response.leftover)} bytes came behind the {status}, expected none"
            )
        return response

    def _not_http(self) -> ProxyError:
        first = bytes(self._buffer[:40])
        if not re.match(rb"HTTP/1\.[01] [1-5][0-9]{2}[ \r]", first):
            return self._error(f"got {first!r}, expected HTTP/1.x SP status-code")
        return self._error("the head is not made of field lines")

    def _error(self, problem: str) -> ProxyError:
        return ProxyError(f"reading the answer to CONNECT from {self._proxy}: {problem}")
