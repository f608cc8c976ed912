"""The floor: a socket, a constant request, the least that finds the content. No client at all."""

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

PIECE = 1024 * 1024  # bytes


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    sock, head = _open(url)
    if trust is not None:
        # The context is shared, as every client would; making one costs more than a handshake.
        sock = _context(trust).wrap_socket(sock, server_hostname=urlsplit(url).hostname)
    send, receive, loads = sock.sendall, sock.recv, json.loads

    def fetch() -> Any:
        send(head)
        data = receive(65536)
        return loads(data[data.index(b"\r\n\r\n") + 4 :])

    return fetch, sock.close


def download(url: str) -> int:
    sock, head = _open(url)
    with sock:
        sock.sendall(head)
        data = sock.recv(65536)
        start = data.index(b"\r\n\r\n") + 4
        size = int(data.lower().split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
        content = bytearray(size)
        filled = len(data) - start
        content[:filled] = data[start:]
        rest = memoryview(content)
        while filled < size:
            filled += sock.recv_into(rest[filled:])
    return len(content)


def upload(url: str, path: str) -> int:
    sock, head = _open(url, "PUT")
    with sock, open(path, "rb") as file:
        size = file.seek(0, 2)
        sock.sendall(head[:-2] + b"Content-Length: %d\r\n\r\n" % size)
        sock.sendfile(file, 0)
        return _received(sock)


def stream_down(url: str) -> int:
    sock, head = _open(url)
    with sock:
        sock.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        size = -(sock.recv(65536, socket.MSG_PEEK).index(b"\r\n\r\n") + 4)
        piece = bytearray(PIECE)
        while count := sock.recv_into(piece):
            size += count
    return size


def stream_up(url: str, size: str) -> int:
    sock, head = _open(url, "PUT")
    piece, left = bytes(PIECE), int(size)
    with sock:
        sock.sendall(head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
        while left:
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            left -= len(piece)
        sock.sendall(b"0\r\n\r\n")
        return _received(sock)


def _open(url: str, method: str = "GET") -> tuple[socket.socket, bytes]:
    target = urlsplit(url)
    assert target.hostname is not None
    assert target.port is not None
    sock = socket.create_connection((target.hostname, target.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What a client sends at least: the same four fields that the others send.
    head = (
        f"{method} {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nUser-Agent: raw/0\r\n"
        "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
    )
    return sock, head.encode()


def _received(sock: socket.socket) -> int:
    return int(sock.recv(65536).partition(b"\r\n\r\n")[2])


_contexts: dict[str, ssl.SSLContext] = {}


def _context(trust: str) -> ssl.SSLContext:
    if trust not in _contexts:
        _contexts[trust] = ssl.create_default_context(cafile=trust)
    return _contexts[trust]
