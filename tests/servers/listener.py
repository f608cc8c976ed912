"""Accepting connections, one thread for each, counted, and stopped for certain.

Owns the listening socket, the open connections, the gates and the threads. What is said on a
connection is left to the subclasses (`raw.Server`, `web.Web`, `proxy.Proxy`).
"""

import contextlib
import os
import selectors
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 20.0  # seconds before a wait inside a server counts as a failure of the test

# What a peer that goes away looks like from here; never the fault of a script.
GONE = (ConnectionError, ssl.SSLError)


class Stopped(Exception):
    """The server is being stopped, or the peer went away: the connection's thread ends quietly."""


class Gate:
    """Holds whoever waits at it until the test opens it. Opened for good by `set()`."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._is_open = False
        self.waiting = 0

    def __repr__(self) -> str:
        return f"<Gate {'open' if self._is_open else 'shut'}, {self.waiting} waiting>"

    def set(self) -> None:
        """Open the gate."""
        with self._listener.changed:
            self._is_open = True
            self._listener.changed.notify_all()

    def wait(self) -> None:
        """Return when the gate is open. Raises `Stopped` if the server is stopped first."""
        listener = self._listener
        with listener.changed:
            self.waiting += 1
            listener.changed.notify_all()
            try:
                opened = listener.changed.wait_for(
                    lambda: self._is_open or listener.is_stopping, PATIENCE
                )
            finally:
                self.waiting -= 1
                listener.changed.notify_all()
        if listener.is_stopping:
            raise Stopped
        if not opened:
            raise TimeoutError(f"nobody opened the gate within {PATIENCE} s")


class Gates(dict[str, Gate]):
    """Gates by name, each made when it is first spoken of, by the test or by the server."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener

    def __missing__(self, name: str) -> Gate:
        return self.setdefault(name, Gate(self._listener))  # atomic: both sides get the same


class Listener:
    """A loopback server, running between `with` and its end.

    Errors of a connection's thread are raised at the end of the `with` block, unless the peer
    merely went away. Counts: `accepted` connections so far, `open` now, and their `peak`.

    Args:
        tls: a server context; then every connection starts with a handshake.
        family: socket.AF_INET, AF_INET6 or AF_UNIX (then `path` is the socket's).
        host: the name to put into `url`; None takes the address.
    """

    listens_at: str | None = None  # an address; None: the loopback one of `family`

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        family: int = socket.AF_INET,
        host: str | None = None,
    ) -> None:
        self.tls = tls
        self.family = family
        self.changed = threading.Condition(threading.RLock())
        self.is_stopping = False
        self.gates = Gates(self)
        self.errors: list[Exception] = []
        self.handshake_errors: list[Exception] = []
        self.accepted = 0
        self.open = 0
        self.peak = 0
        self.port = 0
        self.path = ""  # of a unix socket
        self._host = host
        self._folder: str | None = None
        self._connections: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []

    # Where it is ------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        if self._host is not None:
            return self._host
        if self.family == socket.AF_INET6:
            return "[::1]"
        return "127.0.0.1" if self.family == socket.AF_INET else "localhost"

    @property
    def authority(self) -> str:
        return self.host if self.family == socket.AF_UNIX else f"{self.host}:{self.port}"

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:12345`: no slash at its end, so that a path can follow."""
        return f"{self.scheme}://{self.authority}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url} {self.open} open, {self.accepted} accepted>"

    # Its life ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if error is None:
            self.raise_errors()
            return
        for mine in self.errors:
            error.add_note(f"the server's script failed too: {mine!r}")

    def start(self) -> None:
        """Bind a free port (or a unix path) and listen."""
        self._socket = socket.socket(self.family, socket.SOCK_STREAM)
        if self.family == socket.AF_UNIX:
            self._folder = tempfile.mkdtemp(prefix="gofer")  # short: sun_path holds 104 bytes
            self.path = str(Path(self._folder, "s"))
            self._socket.bind(self.path)
        else:
            if os.name == "posix":  # elsewhere it would let two servers share a port
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            loopback = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
            self._socket.bind((self.listens_at or loopback, 0))
            self.port = self._socket.getsockname()[1]
        self._socket.listen(128)
        self._bell, self._bell_rope = socket.socketpair()
        # Made here and not in the thread: a test that starts now must not find it new at its end.
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._acceptor = threading.Thread(target=self._accept, name=f"{self!r} accepting")
        self._acceptor.start()

    def stop(self) -> None:
        """Stop accepting, end every connection, join every thread, close every socket."""
        with self.changed:
            if self.is_stopping:
                return
            self.is_stopping = True
            self.changed.notify_all()
        self._bell_rope.send(b"x")
        self._acceptor.join(PATIENCE)
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                self.errors.append(RuntimeError(f"{thread.name} did not end"))
        for owned in (self._selector, self._socket, self._bell, self._bell_rope):
            owned.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def hang_up(self) -> None:
        """End every open connection, as a server that is restarted would."""
        with self.changed:
            for connection in self._connections.values():
                # Only the thread of a connection closes it, so that its number is not given to
                # another file meanwhile; the shutdown wakes that thread.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def raise_errors(self) -> None:
        """Raise what went wrong in the connections' threads, if anything, and forget it."""
        errors, self.errors = self.errors, []
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup("several connections failed", errors)

    def wait_for(self, predicate: Callable[[], object]) -> None:
        """Return as soon as `predicate()` is true; it is asked after every change of a count.

        Use it where the server has to catch up: `server.wait_for(lambda: server.open == 0)`.
        """
        with self.changed:
            if not self.changed.wait_for(predicate, PATIENCE):
                raise AssertionError(f"what was waited for never came true: {self!r}")

    def reset_counts(self) -> None:
        """Count from here on; for a server that several tests share."""
        with self.changed:
            self.accepted = self.open
            self.peak = self.open
            self.gates.clear()
            self.errors.clear()
            self.handshake_errors.clear()

    # Connections ------------------------------------------------------------------------------

    def serve_connection(self, connection: socket.socket, index: int) -> None:
        """Speak on one connection. The caller closes it afterwards."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            self._selector.select()
            if self.is_stopping:
                return
            self._accept_one()

    def _accept_one(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:  # reset before it was accepted
            return
        if self.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(PATIENCE)
        with self.changed:
            index = self.accepted
            self.accepted += 1
            self.open += 1
            self.peak = max(self.peak, self.open)
            self._connections[index] = connection
            self.changed.notify_all()
        thread = threading.Thread(
            target=self._run, args=(connection, index), name=f"{self!r} connection {index}"
        )
        self._threads = [old for old in self._threads if old.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _run(self, connection: socket.socket, index: int) -> None:
        try:
            if self.tls is not None:
                connection = self.secure(connection, index, self.tls)
            self.serve_connection(connection, index)
        except Stopped:
            pass
        except Exception as error:
            is_our_doing = self.is_stopping and isinstance(error, OSError)
            if not is_our_doing and not isinstance(error, GONE):
                self.errors.append(error)
        finally:
            with self.changed:
                del self._connections[index]
            connection.close()
            with self.changed:
                self.open -= 1
                self.changed.notify_all()

    def secure(
        self, connection: socket.socket, index: int, context: ssl.SSLContext
    ) -> ssl.SSLSocket:
        """The connection after a TLS handshake. A client may refuse us: no error of the test."""
        with self.changed:
            secured = context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
            self._connections[index] = secured
        try:
            secured.do_handshake()
        except OSError as error:  # also ssl.SSLError
            self.handshake_errors.append(error)
            secured.close()
            raise Stopped from error
        return secured
