"""An answer that comes while the request is still being sent: both go on (RFC 9112, 9.5).

So a server may answer piece by piece what it reads. Over HTTP/2 and HTTP/3 with those options.
"""

import asyncio
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionError
from servers.raw import Peer, serve
from servers.web import Web
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")


def test_what_is_sent_comes_back(web: Web, session: gofer.Session) -> None:
    sent = [b"%d " % number for number in range(2000)]
    answer = session.post(f"{web.url}/echo?first=x", data=iter(sent))
    assert answer.content == b"x" + b"".join(sent)
    assert session.get(f"{web.url}/get").ok


@pytest.mark.parametrize("kind", ["bytes", "file", "pieces", "buffer"])
def test_much_of_it(web: Web, session: gofer.Session, tmp_path: Path, kind: str) -> None:
    """More than the way holds: neither side waits for the other for ever."""
    content = b"0123456789abcdef" * 500_000
    path = tmp_path / "content"
    path.write_bytes(content)
    with path.open("rb") as file:
        data: Any = {
            "bytes": content,
            "file": file,
            "pieces": (content[at : at + 100_000] for at in range(0, len(content), 100_000)),
            "buffer": io.BytesIO(content),
        }[kind]
        answer = session.post(f"{web.url}/echo?first=x", data=data)
        assert hashlib.sha256(answer.content[1:]).digest() == hashlib.sha256(content).digest()
    assert session.get(f"{web.url}/get").ok


def test_it_can_be_left(web: Web, session: gofer.Session) -> None:
    """Then nothing more is sent, and what makes the content hears of it."""
    is_closed = []

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            is_closed.append(True)

    answer = session.post(f"{web.url}/echo", data=pieces(), stream=True)
    assert next(answer.iter_content(4)) == b"more"
    answer.close()
    del answer
    assert session.get(f"{web.url}/get").ok
    web.wait_for(lambda: web.in_flight == 0)
    assert is_closed == [True]


def test_content_that_fails(web: Web, session: gofer.Session) -> None:
    """Its exception reaches whoever reads, and the server never sees a whole request."""

    def pieces() -> Iterator[bytes]:
        yield b"some"
        raise KeyError("what to say")

    with pytest.raises(KeyError):
        session.post(f"{web.url}/echo", data=pieces()).content  # noqa: B018
    assert session.get(f"{web.url}/get").ok


def test_an_answer_that_refuses_ends_it(web: Web, session: gofer.Session) -> None:
    """From 300 on nobody wants the rest."""
    pulled: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(100_000):
            pulled.append(number)
            yield b"x" * 1000

    answer = session.post(f"{web.url}/echo?status=403&first=no", data=pieces(), stream=True)
    assert answer.status_code == 403
    assert len(pulled) < 100_000
    answer.close()
    assert session.get(f"{web.url}/get").ok


@pytest.mark.http1
def test_a_connection_that_was_used_both_ways_is_kept(web: Web, session: gofer.Session) -> None:
    for _ in range(3):
        assert session.post(f"{web.url}/echo?first=x", data=iter([b"a"] * 100)).content
    assert web.accepted == 1


@pytest.mark.http1
def test_a_server_that_has_answered_and_gone(session: gofer.Session) -> None:
    """What it said counts, if it is whole."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        peer.reset() if half else peer.close()

    for half in (False, True):
        with serve(script) as server:
            data = (b"x" * 100_000 for _ in range(200))
            try:
                assert session.post(server.url, data=data).text == "hello"
            except ConnectionError:
                assert half  # a reset may overtake what came before it


@pytest.mark.only_in("blocking")
def test_awaited(web: Web) -> None:
    async def main() -> None:
        async def pieces() -> Any:
            for _ in range(100):
                await asyncio.sleep(0)
                yield b"x" * 10_000

        async with gofer.AsyncSession() as session:
            answer = await session.post(f"{web.url}/echo?first=x", data=pieces(), stream=True)
            heard = [piece async for piece in answer.aiter_content(None)]
            assert b"".join(heard) == b"x" * 1_000_001

    asyncio.run(main())
