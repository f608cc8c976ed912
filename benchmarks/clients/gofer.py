"""gofer, as its users call it."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import gofer

PIECE = 1024 * 1024  # bytes


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    session = gofer.Session()
    if trust is not None:
        session.verify = trust
    return lambda: session.get(url).json(), session.close


def connect_many(
    url: str, trust: str | None, size: int
) -> tuple[Callable[[int], None], Callable[[], None]]:
    session = gofer.Session()
    if trust is not None:
        session.verify = trust

    # One endless run, of which every turn takes a piece: as the peers', connections stay.
    responses = gofer.imap(itertools.repeat(url), size, session=session)

    def run(count: int) -> None:
        for response in itertools.islice(responses, count):
            response.json()

    return run, responses.close


def download(url: str, trust: str | None = None) -> int:
    with gofer.Session(verify=trust or True) as session:
        return len(session.get(url).content)


def upload(url: str, path: str) -> int:
    with gofer.Session() as session, open(path, "rb") as file:
        return int(session.put(url, data=file).text)


def stream_down(url: str) -> int:
    with gofer.Session() as session, session.get(url, stream=True) as response:
        return sum(map(len, response.iter_content(PIECE)))


def stream_up(url: str, size: str) -> int:
    with gofer.Session() as session:
        return int(session.put(url, data=_pieces(int(size))).text)


def _pieces(size: int) -> Iterator[bytes]:
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        yield piece
