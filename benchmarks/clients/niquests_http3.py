"""niquests, told beforehand that HTTP/3 is spoken."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import niquests


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    session = _session(url, trust, multiplexed=False)
    return lambda: session.get(url).json(), session.close


def connect_many(
    url: str, trust: str | None, size: int
) -> tuple[Callable[[int], None], Callable[[], None]]:
    session = _session(url, trust, multiplexed=True)

    def run(count: int) -> None:
        for start in range(0, count, size):
            answers = [session.get(url) for _ in range(min(size, count - start))]
            session.gather()
            for answer in answers:
                answer.json()

    return run, session.close


def download(url: str, trust: str | None = None) -> int:
    with _session(url, trust, multiplexed=False) as session:
        return len(session.get(url).content)


def _session(url: str, trust: str | None, *, multiplexed: bool) -> niquests.Session:
    session = niquests.Session(multiplexed=multiplexed)
    session.verify = trust or True
    place = urlsplit(url)
    session.quic_cache_layer.add_domain(place.hostname, place.port)
    return session
