"""Takes uploads, as fast as a socket gives them, and answers with the number of bytes of content.

nginx either writes an upload to disk or answers before it has come; this does neither. It knows
just enough of HTTP: Content-Length, and chunked content of zeros. Prints its port.
"""

import re
import socket


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    buffer = bytearray(1024 * 1024)
    while True:
        sock, _ = listener.accept()
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while take_one(sock, buffer):
                pass


def take_one(sock: socket.socket, buffer: bytearray) -> bool:
    """Take a request and answer it; False at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return False
        data += piece
    head, _, content = data.partition(b"\r\n\r\n")
    if b"100-continue" in head.lower():
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    if length:
        size = take_length(sock, buffer, int(length[1]), len(content))
    else:
        size = take_chunked(sock, buffer, content)
    answer = b"%d" % size
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
    return True


def take_length(sock: socket.socket, buffer: bytearray, length: int, got: int) -> int:
    while got < length:
        count = sock.recv_into(buffer)
        if not count:
            break
        got += count
    return got


def take_chunked(sock: socket.socket, buffer: bytearray, data: bytes) -> int:
    """Chunk by chunk: a size line is looked at, the rest of the chunk only counted."""
    size = 0
    while True:
        while b"\r\n" not in data:
            data += sock.recv(65536)
        line, _, data = data.partition(b"\r\n")
        left = int(line, 16) + 2
        size += left - 2
        while left > len(data):
            left -= len(data)
            data = b""
            count = sock.recv_into(buffer, min(left, len(buffer)))
            left -= count
            if not count:
                return -1
        data = data[left:]
        if line.strip(b"0") == b"":
            return size


if __name__ == "__main__":
    main()
