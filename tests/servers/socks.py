"""A SOCKS proxy: versions 4, 4a and 5, with a log of what it was asked (RFC 1928, 1929)."""

import socket
from ipaddress import ip_address

from servers.listener import Listener
from servers.proxy import relay

__all__ = ["Socks"]


class Socks(Listener):
    """A SOCKS proxy.

    Args:
        login: (user name, password) it asks for; None lets everybody pass.

    asked: what each connection asked for: (version, host as it was sent, port, user name).
    hosts: where a name really is, as an address; any other is an error to the client.
    """

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.login = login
        self.asked: list[tuple[int, str, int, str]] = []
        self.hosts: dict[str, str] = {}

    def serve_connection(self, connection: socket.socket, index: int) -> None:
        connection.settimeout(None)
        stream = connection.makefile("rb", buffering=0)

        def read(count: int) -> bytes:
            data = b""
            while len(data) < count:
                piece = stream.read(count - len(data))
                if not piece:
                    raise ConnectionError
                data += piece
            return data

        def read_text() -> str:
            return b"".join(iter(lambda: read(1), b"\0")).decode()

        try:
            version = read(1)[0]
            if version == 5:
                self._serve_5(connection, read)
            else:
                assert version == 4, f"SOCKS {version}"
                assert read(1) == b"\1"
                port = int.from_bytes(read(2), "big")
                address = read(4)
                user = read_text()
                is_name = address[:3] == b"\0\0\0" and address[3]
                host = read_text() if is_name else str(ip_address(address))
                self._connect(connection, 4, host, port, user)
        except ConnectionError:
            pass
        finally:
            stream.close()

    def _serve_5(self, connection: socket.socket, read: object) -> None:
        assert callable(read)
        methods = read(read(1)[0])
        user = ""
        if self.login is None:
            assert 0 in methods
            connection.sendall(b"\5\0")
        elif 2 not in methods:
            connection.sendall(b"\5\xff")
            return
        else:
            connection.sendall(b"\5\2")
            assert read(1) == b"\1"
            user = read(read(1)[0]).decode()
            password = read(read(1)[0]).decode()
            is_right = (user, password) == self.login
            connection.sendall(b"\1\0" if is_right else b"\1\1")
            if not is_right:
                return
        assert read(3) == b"\5\1\0"
        kind = read(1)[0]
        if kind == 3:
            host = read(read(1)[0]).decode()
        else:
            host = str(ip_address(read(4 if kind == 1 else 16)))
        self._connect(connection, 5, host, int.from_bytes(read(2), "big"), user)

    def _connect(
        self, connection: socket.socket, version: int, host: str, port: int, user: str
    ) -> None:
        with self.changed:
            self.asked.append((version, host, port, user))
        try:
            origin = socket.create_connection((self.hosts.get(host, host), port), timeout=10)
        except OSError:
            refusal = b"\0\x5b" + bytes(6) if version == 4 else b"\5\5\0\1" + bytes(6)
            connection.sendall(refusal)
            return
        with origin:
            # In version 5 where it connected from, said as a name, for once.
            granted = b"\0\x5a" + bytes(6)
            connection.sendall(granted if version == 4 else b"\5\0\0\3\4here" + b"\0\1")
            relay(connection, origin)
