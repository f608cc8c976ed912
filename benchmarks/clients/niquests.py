"""niquests, with a Session. In an environment of its own, see requirements-niquests.txt."""

from collections.abc import Callable, Iterator
from typing import Any

import niquests

PIECE = 1024 * 1024  # bytes


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    session = niquests.Session()
    if trust is not None:
        session.verify = trust
    return lambda: session.get(url).json(), session.close


def connect_many(
    url: str, trust: str | None, size: int
) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Its multiplexing: answers that come when they are gathered."""
    session = niquests.Session(multiplexed=True)
    if trust is not None:
        session.verify = trust

    def run(count: int) -> None:
        for start in range(0, count, size):
            answers = [session.get(url) for _ in range(min(size, count - start))]
            session.gather()
            for answer in answers:
                answer.json()

    return run, session.close


def download(url: str, trust: str | None = None) -> int:
    with niquests.Session() as session:
        session.verify = trust or True
        return len(session.get(url).content)


def upload(url: str, path: str) -> int:
    with niquests.Session() as session, open(path, "rb") as file:
        return int(session.put(url, data=file).text)


def stream_down(url: str) -> int:
    with niquests.Session() as session, session.get(url, stream=True) as response:
        return sum(map(len, response.iter_content(PIECE)))


def stream_up(url: str, size: str) -> int:
    with niquests.Session() as session:
        return int(session.put(url, data=_pieces(int(size))).text)


def _pieces(size: int) -> Iterator[bytes]:
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        yield piece
