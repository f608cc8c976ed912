"""Scripted servers: a small function of a connection decides every byte.

    def script(peer):
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhel")
        peer.reset()

    with serve(script) as server:
        ...  # server.url, server.received, server.requests, server.accepted

A script runs in a thread of its own for every connection (`peer.index` says which). What it
raises, an assertion for instance, fails the test at the end of the `with` block, unless the peer
just went away. When it returns, the connection ends politely: FIN, then whatever still comes is
read and recorded until the peer closes too, so that no answer is lost to a reset.
"""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

from servers.listener import Listener, Stopped

__all__ = [
    "Peer",
    "Server",
    "Step",
    "always",
    "answers",
    "black_hole",
    "refused_port",
    "response",
    "serve",
    "split_every_way",
]

Script = Callable[["Peer"], None]
Step = bytes | Script  # bytes are sent as they are; a function is called with the peer

CONTENT_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d+)[ \t]*\r$")
CHUNKED = re.compile(rb"(?im)^transfer-encoding:[^\r]*chunked[ \t]*\r$")


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket, index: int, server: "Server") -> None:
        self.socket = connection
        self.index = index
        self.server = server
        self.received = bytearray()
        self.is_closed = False
        self._unread = bytearray()
        self._head = b""

    # Receiving --------------------------------------------------------------------------------

    def receive(self, max_bytes: int = 65536) -> bytes:
        """What has come, at most `max_bytes`; b"" at the end of the stream."""
        if not self._unread:
            self._fill()
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        return data

    def receive_exactly(self, size: int) -> bytes:
        """`size` bytes; the script ends here if fewer come."""
        while len(self._unread) < size:
            self._fill_or_stop()
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def receive_until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`; the script ends here if the peer closes before it."""
        while (end := self._unread.find(mark)) < 0:
            self._fill_or_stop()
        return self.receive_exactly(end + len(mark))

    def receive_head(self) -> bytes:
        """A request line and its field section, with the blank line; kept in `server.requests`."""
        self._head = self.receive_until(b"\r\n\r\n")
        with self.server.changed:
            self.server.requests.append(self._head)
            self.server.changed.notify_all()
        return self._head

    def receive_content(self) -> bytes:
        """The content that goes with the last head, after its transfer coding was taken off."""
        if CHUNKED.search(self._head):
            return b"".join(self._receive_chunks())
        length = CONTENT_LENGTH.search(self._head)
        return self.receive_exactly(int(length[1])) if length else b""

    def receive_request(self) -> tuple[bytes, bytes]:
        """A head and its content."""
        return self.receive_head(), self.receive_content()

    def receive_to_end(self) -> bytes:
        """Everything until the peer closes its side."""
        while self._fill():
            pass
        return self.receive(len(self._unread))

    def wait_closed(self) -> None:
        """Return when the peer has closed its side; what it sends until then is recorded."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.receive_to_end()

    def _receive_chunks(self) -> Iterator[bytes]:
        while size := int(self.receive_until(b"\r\n").split(b";")[0], 16):
            yield self.receive_exactly(size)
            assert b"\r\n" == self.receive_exactly(2)
        while self.receive_until(b"\r\n") != b"\r\n":
            pass  # trailer fields

    def _fill(self) -> bool:
        data = self.socket.recv(65536)
        with self.server.changed:
            self.received += data
            self.server.changed.notify_all()
        self._unread += data
        return bool(data)

    def _fill_or_stop(self) -> None:
        if not self._fill():
            raise Stopped

    # Sending ----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send byte by byte, each in a segment of its own (as far as TCP lets us)."""
        for index in range(len(data)):
            self.socket.sendall(data[index : index + 1])

    # Ending -----------------------------------------------------------------------------------

    def half_close(self) -> None:
        """Say that nothing more will be sent (close_notify and FIN); receiving goes on."""
        if isinstance(self.socket, ssl.SSLSocket):
            self._notify_close(self.socket)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def close(self) -> None:
        """Close both ways; the system sends a reset if something that came was not read."""
        self.half_close()
        self.cut()

    def cut(self) -> None:
        """Close the socket without the close_notify that TLS asks for."""
        self.is_closed = True
        self.socket.close()

    def reset(self) -> None:
        """Close with RST: what is under way is thrown away, on both sides."""
        linger_0 = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0)
        self.cut()

    def finish(self) -> None:
        """End politely: FIN, then read until the peer has closed too. Every script ends so."""
        if self.is_closed:
            return
        self.half_close()
        with contextlib.suppress(OSError):
            if isinstance(self.socket, ssl.SSLSocket):
                # After close_notify the TLS object reads no more, the socket below it does.
                while socket.socket.recv(self.socket, 65536):
                    pass
            while self._fill():
                pass

    @staticmethod
    def _notify_close(connection: ssl.SSLSocket) -> None:
        patience = connection.gettimeout()
        connection.settimeout(0)  # unwrap() would wait for the peer's close_notify
        with contextlib.suppress(OSError, ValueError):
            connection.unwrap()
        connection.settimeout(patience)

    # With the test ----------------------------------------------------------------------------

    def wait(self, gate: str) -> None:
        """Wait until the test opens it: `server.gates[gate].set()`."""
        self.server.gates[gate].wait()

    def open(self, gate: str) -> None:
        """Open a gate from the script; the test waits with `server.gates[gate].wait()`."""
        self.server.gates[gate].set()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Turn to TLS here, after a CONNECT for instance."""
        assert not self._unread, "the client spoke before it was answered"
        self.socket = self.server.secure(self.socket, self.index, context)


class Server(Listener):
    """A scripted server and the record of what came.

    received: bytes of each connection, in the order of acceptance.
    requests: heads taken by `receive_head`, in the order of arrival.
    script: may be replaced at any time; counts from the next connection on.
    """

    def __init__(
        self,
        script: Script,
        *,
        tls: ssl.SSLContext | None = None,
        family: int = socket.AF_INET,
        host: str | None = None,
    ) -> None:
        super().__init__(tls=tls, family=family, host=host)
        self.script = script
        self.requests: list[bytes] = []
        self.peers: list[Peer] = []

    @property
    def received(self) -> list[bytes]:
        with self.changed:
            return [bytes(peer.received) for peer in self.peers]

    def serve_connection(self, connection: socket.socket, index: int) -> None:
        peer = Peer(connection, index, self)
        with self.changed:
            self.peers.append(peer)
            self.changed.notify_all()
        try:
            self.script(peer)
        finally:
            try:
                if not self.is_stopping:
                    peer.finish()
            finally:
                peer.socket.close()


def serve(
    script: Script,
    *,
    tls: ssl.SSLContext | None = None,
    family: int = socket.AF_INET,
    host: str | None = None,
) -> Server:
    """A scripted server, to be used with `with`."""
    return Server(script, tls=tls, family=family, host=host)


# Scripts ------------------------------------------------------------------------------------------


def answers(*steps: Step) -> Script:
    """One step for each request, in order, whichever connection it comes on.

    Each request is read with its content; then bytes are sent as they are, and a function is
    called with the peer: `answers(b"HTTP/1.1 200 OK...", Peer.reset, Peer.close)`. A request too
    many fails the test.
    """
    remaining = iter(steps)
    lock = threading.Lock()

    def script(peer: Peer) -> None:
        while not peer.is_closed:
            head, _ = peer.receive_request()
            with lock:
                step = next(remaining, None)
            if step is None:
                raise AssertionError(f"a request more than expected: {head[:80]!r}")
            perform(peer, step)

    return script


def always(step: Step, *, close: bool = False) -> Script:
    """The same step for every request; with `close` the connection ends after it."""

    def script(peer: Peer) -> None:
        while not peer.is_closed:
            peer.receive_request()
            perform(peer, step)
            if close:
                return

    return script


def perform(peer: Peer, step: Step) -> None:
    if isinstance(step, bytes):
        peer.send(step)
    else:
        step(peer)


# Bytes --------------------------------------------------------------------------------------------


def response(content: bytes = b"", status: str = "200 OK", **fields: str) -> bytes:
    """A well-formed response with a Content-Length; `content_type=` becomes Content-Type."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def split_every_way(data: bytes) -> Iterator[list[bytes]]:
    """`data` whole, byte by byte, and cut in two at every place."""
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


# Ports where nobody answers -----------------------------------------------------------------------


def refused_port() -> int:
    """A loopback port that refuses connections (it was free a moment ago)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A loopback port where a connection attempt is never answered.

    Its queue of connections is full and nobody accepts, so Linux drops every further SYN.
    """
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield int(listening.getsockname()[1])
