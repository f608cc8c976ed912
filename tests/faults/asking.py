"""How the tests here ask: one request to a scripted answer, then another that must be right.

Whatever a server did, the session has to be usable afterwards, so every `ask` ends with a second
request. What leaks is found by the fixtures of `tests/conftest.py`.
"""

from collections.abc import Callable
from typing import Any

import gofer
from servers.raw import Peer, Script, Server, response, serve

__all__ = [
    "HEAD",
    "NEXT",
    "PATIENCE",
    "Answer",
    "ask",
    "chunked",
    "field",
    "found",
    "plain",
    "scripted",
    "session_for",
    "site",
    "stay",
    "target",
]

PATIENCE = 0.6  # seconds a test gives a server that is silent on purpose
NEXT = response(b"next")
HEAD = b"HTTP/1.1 200 OK\r\n"


class Answer:
    """What the caller saw of one response, and what the server saw."""

    def __init__(self, got: Any, server: Server) -> None:
        self.response = got
        self.status = got.status_code
        self.content = got.content
        self.headers = got.headers
        self.server = server

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.content[:40]!r}>"


def stay(peer: Peer) -> None:
    """Keep the connection open and listen for the next request."""


def plain(content: bytes = b"hello", *fields: bytes) -> bytes:
    """A 200 with a Content-Length and more field lines."""
    lines = b"".join(line + b"\r\n" for line in fields)
    return HEAD + b"Content-Length: %d\r\n" % len(content) + lines + b"\r\n" + content


def chunked(chunks: bytes, *fields: bytes) -> bytes:
    """A 200 in the chunked coding, whose chunks are given to the byte."""
    lines = b"".join(line + b"\r\n" for line in fields)
    return HEAD + b"Transfer-Encoding: chunked\r\n" + lines + b"\r\n" + chunks


def scripted(answer: bytes | Callable[[Peer], None], end: Callable[[Peer], None] = stay) -> Script:
    """`answer` and then `end` for every request; one for /next is answered as it should be."""

    def script(peer: Peer) -> None:
        while not peer.is_closed:
            head, _ = peer.receive_request()
            if b" /next " in head.partition(b"\r\n")[0]:
                peer.send(NEXT)
                continue
            if isinstance(answer, bytes):
                peer.send(answer)
            else:
                answer(peer)
            end(peer)
            if end is Peer.half_close:
                return

    return script


def session_for(**options: Any) -> gofer.Session:
    """A session with the patience of a test."""
    return gofer.Session(**{"timeout": PATIENCE, **options})


def ask(
    answer: bytes | Callable[[Peer], None],
    *,
    end: Callable[[Peer], None] = stay,
    method: str = "GET",
    session: dict[str, Any] | None = None,
    **options: Any,
) -> Answer:
    """The answer as a caller sees it, or the error he gets; then a second request must be right.

    Args:
        end: what becomes of the connection: `stay`, `Peer.half_close` (FIN), `Peer.reset` (RST).
        session: arguments for `Session`.
        options: arguments for the request.
    """
    with serve(scripted(answer, end)) as server, session_for(**(session or {})) as client:
        try:
            return Answer(client.request(method, f"{server.url}/first", **options), server)
        finally:
            assert b"next" == client.get(f"{server.url}/next").content


# A site of several pages ------------------------------------------------------------------------


def site(pages: dict[str, bytes]) -> Script:
    """Answers by request target, with NEXT for those that are not in `pages`.

    `PORT` in an answer is the server's own port.
    """

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.receive_request()
            answer = pages.get(target(head), NEXT)
            peer.send(answer.replace(b"PORT", b"%d" % peer.server.port))

    return script


def found(location: str | bytes, status: int = 302, content: bytes = b"", *lines: bytes) -> bytes:
    """A redirect to `location`."""
    if isinstance(location, str):
        location = location.encode("utf-8")
    head = b"HTTP/1.1 %d Found\r\nLocation: %b\r\n" % (status, location)
    more = b"".join(line + b"\r\n" for line in lines)
    return head + more + b"Content-Length: %d\r\n\r\n" % len(content) + content


def target(head: bytes) -> str:
    """The request target of a head."""
    return head.split(b" ", 2)[1].decode("latin-1")


def field(head: bytes, name: str) -> str | None:
    """The value of a field in a head; None if there is none."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None
