"""urllib3, with a PoolManager."""

from collections.abc import Callable, Iterator
from typing import Any

import urllib3

PIECE = 1024 * 1024  # bytes


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    pools = urllib3.PoolManager(ca_certs=trust)
    return lambda: pools.request("GET", url).json(), pools.clear


def download(url: str) -> int:
    return len(urllib3.PoolManager().request("GET", url).data)


def upload(url: str, path: str) -> int:
    with open(path, "rb") as file:
        return int(urllib3.PoolManager().request("PUT", url, body=file).data)


def stream_down(url: str) -> int:
    response = urllib3.PoolManager().request("GET", url, preload_content=False)
    return sum(map(len, response.stream(PIECE)))


def stream_up(url: str, size: str) -> int:
    return int(urllib3.PoolManager().request("PUT", url, body=_pieces(int(size))).data)


def _pieces(size: int) -> Iterator[bytes]:
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        yield piece
