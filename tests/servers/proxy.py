"""A forward proxy: absolute-form requests and CONNECT tunnels (RFC 9110, 9.3.6; RFC 9112, 3.2.2).

It keeps a log of what it was asked. `hosts` stands in for its resolver: a test can ask for
example.com and reach a server on loopback.
"""

import base64
import contextlib
import select
import socket
import ssl
from dataclasses import dataclass
from typing import Any

import h11

from servers import digest
from servers.listener import Listener, Stopped

__all__ = ["Asked", "Proxy", "relay"]

HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te"}


@dataclass(slots=True)
class Asked:
    """One request to the proxy: its head as it came."""

    method: str
    target: str
    fields: list[tuple[str, str]]
    connection: int

    def field(self, name: str) -> str | None:
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Proxy(Listener):
    """A forward proxy.

    Args:
        credentials: `user:password` it asks for with 407; None lets everybody pass.
        digest: it asks by Digest with this algorithm, and Basic does not count.
        refuse: a status code with which every CONNECT is refused.
        hosts: where "host:port" really is, as (address, port).
        tls: TLS between the client and the proxy.

    asked: every request and CONNECT, in the order of arrival.
    """

    def __init__(
        self,
        *,
        credentials: str | None = None,
        digest: str | None = None,
        refuse: int | None = None,
        hosts: dict[str, tuple[str, int]] | None = None,
        tls: ssl.SSLContext | None = None,
        host: str | None = None,
    ) -> None:
        super().__init__(tls=tls, host=host)
        self.credentials = credentials
        self.digest = digest
        self.nonce = "nonce-1"  # the one that counts; the test may change it
        self.counts: list[str] = []  # of its good answers
        self.refuse = refuse
        self.hosts = hosts if hosts is not None else {}
        self.asked: list[Asked] = []

    def reset_counts(self) -> None:
        with self.changed:
            super().reset_counts()
            self.asked.clear()
            self.hosts.clear()
            self.refuse = None

    @property
    def tunnels(self) -> list[str]:
        """The authorities of every CONNECT."""
        return [asked.target for asked in self.asked if asked.method == "CONNECT"]

    def serve_connection(self, connection: socket.socket, index: int) -> None:
        Carrier(self, connection, index).run()

    def reach(self, authority: str) -> socket.socket:
        """A connection to `host:port`, as the proxy resolves it."""
        host, _, port = authority.rpartition(":")
        address = self.hosts.get(authority, (host.strip("[]"), int(port)))
        return socket.create_connection(address, timeout=10)


class Carrier:
    """What happens on one connection to the proxy."""

    def __init__(self, proxy: Proxy, connection: socket.socket, index: int) -> None:
        self.proxy = proxy
        self.index = index
        self.socket = connection
        self.http = h11.Connection(h11.SERVER)

    def run(self) -> None:
        self.socket.settimeout(None)
        while True:
            head = receive_event(self.http, self.socket)
            if not isinstance(head, h11.Request):
                return
            asked = Asked(
                head.method.decode(),
                head.target.decode("latin-1"),
                [(n.decode("latin-1"), v.decode("latin-1")) for n, v in head.headers.raw_items()],
                self.index,
            )
            with self.proxy.changed:
                self.proxy.asked.append(asked)
                self.proxy.changed.notify_all()
            if asked.method == "CONNECT":
                if self._tunnel(asked):
                    return
            else:
                self._forward(asked, head)
            if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
                return
            self.http.start_next_cycle()

    # CONNECT ----------------------------------------------------------------------------------

    def _tunnel(self, asked: Asked) -> bool:
        """Relay bytes until both sides are done; false if there is no tunnel."""
        receive_event(self.http, self.socket)  # the end of a message without content
        if not self._is_welcome(asked):
            self._challenge()
            return False
        if self.proxy.refuse is not None:
            self._reply(self.proxy.refuse, [], b"the proxy says no\n")
            return False
        try:
            origin = self.proxy.reach(asked.target)
        except OSError:
            self._reply(502, [], b"no way there\n")
            return False
        with origin:
            head = h11.Response(status_code=200, headers=[], reason=b"Connection established")
            self.socket.sendall(self.http.send(head) or b"")
            relay(self.socket, origin)
        return True

    # Absolute-form ----------------------------------------------------------------------------

    def _forward(self, asked: Asked, head: h11.Request) -> None:
        content = b""
        if self.http.they_are_waiting_for_100_continue:
            waiting = h11.InformationalResponse(status_code=100, headers=[])
            self.socket.sendall(self.http.send(waiting) or b"")
        while isinstance(event := receive_event(self.http, self.socket), h11.Data):
            content += event.data
        if not self._is_welcome(asked):
            self._challenge()
            return
        assert asked.target.startswith("http://"), "a proxy wants the absolute-form"
        authority, slash, path = asked.target.removeprefix("http://").partition("/")
        assert slash, "the absolute-form of an empty path ends in a slash"
        if ":" not in authority.rpartition("]")[2]:
            authority += ":80"
        try:
            origin = self.proxy.reach(authority)
        except OSError:
            self._reply(502, [], b"no way there\n")
            return
        with origin:
            self._exchange(origin, head, f"/{path}", content)

    def _exchange(
        self, origin: socket.socket, head: h11.Request, target: str, content: bytes
    ) -> None:
        """Ask the origin server, and pass on what it says."""
        upstream = h11.Connection(h11.CLIENT)
        fields: list[tuple[bytes, bytes]] = [
            (name, value)
            for name, value in head.headers.raw_items()
            if name.lower() not in HOP_BY_HOP
        ]
        request = h11.Request(method=head.method, target=target, headers=fields)
        origin.sendall(upstream.send(request) or b"")
        if content:
            origin.sendall(upstream.send(h11.Data(data=content)) or b"")
        origin.sendall(upstream.send(h11.EndOfMessage()) or b"")
        while True:
            try:
                event = receive_event(upstream, origin)
            except h11.RemoteProtocolError as error:
                raise Stopped from error  # what the origin cut short is cut short for the client
            if isinstance(event, h11.Response):
                kept = [(n, v) for n, v in event.headers.raw_items() if n.lower() not in HOP_BY_HOP]
                event = h11.Response(
                    status_code=event.status_code, headers=kept, reason=event.reason
                )
            self.socket.sendall(self.http.send(event) or b"")
            if isinstance(event, h11.EndOfMessage):
                return

    # Answers of its own -----------------------------------------------------------------------

    def _is_welcome(self, asked: Asked) -> bool:
        if self.proxy.credentials is None:
            return True
        if self.proxy.digest is not None:
            return self._is_answered(asked, self.proxy.credentials)
        expected = base64.b64encode(self.proxy.credentials.encode()).decode("ascii")
        return asked.field("proxy-authorization") == f"Basic {expected}"

    def _is_answered(self, asked: Asked, credentials: str) -> bool:
        """RFC 7616, 3.4."""
        scheme, _, text = (asked.field("proxy-authorization") or "").partition(" ")
        if scheme != "Digest":
            return False
        given = digest.parse(text)
        user, _, password = credentials.partition(":")
        account = digest.Account("auth", user, password, self.proxy.digest or "")
        expected = digest.expected_response(account, asked.method, given, b"")
        is_good = (
            given["nonce"] == self.proxy.nonce
            and given["uri"] == asked.target
            and given["response"] == expected
            and given["nc"] not in self.proxy.counts
        )
        if is_good:
            self.proxy.counts.append(given["nc"])
        return is_good

    def _challenge(self) -> None:
        if self.proxy.digest is None:
            self._reply(407, [("Proxy-Authenticate", 'Basic realm="proxy"')])
            return
        challenge = f'Digest realm="{digest.REALM}", nonce="{self.proxy.nonce}", qop="auth"'
        challenge += f", algorithm={self.proxy.digest}"
        self._reply(407, [("Proxy-Authenticate", challenge)])

    def _reply(self, status: int, fields: list[tuple[str, str]], content: bytes = b"") -> None:
        fields = [("Content-Length", str(len(content))), *fields]
        head = h11.Response(status_code=status, headers=fields, reason=b"Said By The Proxy")
        for event in (head, h11.Data(data=content), h11.EndOfMessage()):
            self.socket.sendall(self.http.send(event) or b"")


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways, in one thread: a TLS object is not to be used by two."""
    across = {one: other, other: one}
    open_sides = set(across)
    while open_sides:
        readable = [side for side in open_sides if _is_decrypted(side)]
        for side in readable or select.select(list(open_sides), [], [])[0]:
            try:
                data = side.recv(65536)
            except OSError:
                return
            if data:
                across[side].sendall(data)
                continue
            open_sides.discard(side)
            with contextlib.suppress(OSError):
                socket.socket.shutdown(across[side], socket.SHUT_WR)


def receive_event(http: h11.Connection, connection: socket.socket) -> Any:
    """The next event of one side; `Stopped` if it goes away."""
    while (event := http.next_event()) is h11.NEED_DATA:
        data = connection.recv(65536)
        if not data and http.their_state in (h11.IDLE, h11.SEND_RESPONSE):
            raise Stopped
        http.receive_data(data)
    return event


def _is_decrypted(connection: socket.socket) -> bool:
    """True if a TLS object holds bytes that `select` cannot see."""
    return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
