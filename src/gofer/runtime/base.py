"""The contract of a runtime: the leaves, the only code of gofer that waits.

Everything between the faces and these leaves is ordinary `async def`, written once. A runtime
supplies the few awaitables below. Under the blocking runtime they never suspend: they block,
and `run()` drives a whole request with a single `send(None)`.

Rules for every runtime:

- a deadline is one monotonic float, seconds (`runtime.now()`), or None for no limit;
- a leaf that passes its deadline raises `TimedOut`, nothing else;
- a leaf that fails raises the operating system's `OSError`; the caller names it;
- closing never waits: `abort()` is a plain function, safe to call twice and from anywhere.

The caller decides which limit fired and raises the named exception of `gofer.exceptions`.

Looking names up (`names.py`) and connecting to several addresses (`connecting.py`) are written
once, over an event and a leaf that waits for descriptors.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


CANNOT_WAIT = (
    "the content has not come yet and a property cannot await it: use `await response.aread()`,"
    " `async for ... in response.aiter_content()`, or leave out stream=True"
)


class TimedOut(Exception):
    """A leaf passed its deadline. Never seen by users."""


class Interrupted(TimedOut):
    """Somebody takes our place: see `Task.interrupt` of the hub."""


class Stream(Protocol):
    """An open, ordered, reliable byte stream: TCP or a unix socket."""

    async def send(self, data: bytes, deadline: float | None) -> None:
        """Send all of `data`."""

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send a part of `data`, as much as fits now, and say how many bytes it was."""

    def send_now(self, data: memoryview) -> int:
        """Send of `data` what needs no waiting, and say how many bytes it was; 0 if none."""

    def send_soon(self, sender: "Sender") -> bool:
        """True if `sender.flush()` will be called when all that can go on now has done so.

        Then what many have to say goes out together. False where nobody knows when that is.
        """

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """What has come, at most `max_bytes`, at least one byte; b"" at the end of the stream."""

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`: the number of bytes, 0 at the end of the stream."""

    def receive_now(self) -> bytes:
        """What has come and needs no waiting; b"" if that is nothing, or the end, or an error.

        Also after sending has failed: what the peer said before it reset the connection.
        """

    def is_readable(self) -> bool:
        """True if bytes, the end or an error are waiting: an idle connection then is not clean."""

    def abort(self) -> None:
        """Close at once and without waiting."""

    def fileno(self) -> int:
        """The socket's file descriptor."""

    def peer_address(self) -> Any:
        """The address that is connected to, in the form `resolve` gives. May raise `OSError`."""


class Datagrams(Stream, Protocol):
    """A connected UDP socket: what is sent, and what comes, is one datagram at a time."""

    async def receive_several(self, deadline: float | None) -> list[bytes]:
        """The datagrams that have come, at least one; it may be empty."""

    def local_address(self) -> Any:
        """The address and port that datagrams are sent from."""


class Sender(Protocol):
    """What has something to send, and is told when."""

    def flush(self) -> None: ...


class Event(Protocol):
    """Set once, by anybody, from any thread."""

    def set(self) -> None: ...

    async def wait(self, deadline: float | None) -> None:
        """Return when set. Raises `TimedOut`."""


class Runtime(Protocol):
    """What a face chooses once: how to wait.

    Attributes:
        current: the task that goes on now, where tasks may be kept from going on (the hub); None
            elsewhere.
    """

    name: str
    current: Any

    @property
    def is_interruptible(self) -> bool:
        """True if an exception may come between any two instructions, as a signal handler's does.

        Elsewhere whoever is cancelled is at a leaf, and no byte is lost.
        """

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Drive `coroutine` to its end from synchronous code.

        Raises `RuntimeError` where that is impossible: a loop that is not ours is running.
        """

    def now(self) -> float:
        """Monotonic seconds."""

    async def sleep(self, seconds: float) -> None: ...

    def event(self) -> Event: ...

    async def resolve(self, host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        """The (family, sockaddr) pairs of `host`, in the system's order of preference.

        Raises `OSError` (`socket.gaierror`) if there is none. Never blocks past the deadline.
        """

    async def in_thread(self, work: Callable[[], T], deadline: float | None) -> T:
        """What `work` returns: a function of the caller's, which may take its time.

        It is called where it holds up nobody, and left behind at the deadline. A runtime that
        blocks anyway calls it here if there is no deadline.
        """

    async def until(self, awaitable: Awaitable[T], deadline: float | None) -> T:
        """What an `awaitable` of the caller's gives. At the deadline it is cancelled.

        Raises `RuntimeError` if it waits for an event loop and there is none (`threads.at_once`).
        """

    async def connect(
        self, addresses: list[tuple[Any, ...]], deadline: float | None, **options: Any
    ) -> Stream:
        """A TCP stream to the first of `addresses` that answers (RFC 8305, staggered by 250 ms).

        `options` are those of `connecting.connect_first`. Raises the `OSError` of the last
        address, with one note for each of them.
        """

    async def connect_unix(self, path: str, deadline: float | None) -> Stream: ...

    async def connect_datagrams(self, address: tuple[Any, ...], **options: Any) -> Datagrams:
        """Datagrams to and from one of the addresses of `resolve`; nothing is sent yet.

        `options` are those of `connecting.connect_datagrams`. Raises `OSError`.
        """
