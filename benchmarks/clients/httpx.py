"""httpx, with a Client."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import httpx

PIECE = 1024 * 1024  # bytes


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    client = _client(trust)
    return lambda: client.get(url).json(), client.close


def download(url: str, trust: str | None = None) -> int:
    with _client(trust) as client:
        return len(client.get(url).content)


def _client(trust: str | None) -> httpx.Client:
    verify = True if trust is None else ssl.create_default_context(cafile=trust)
    return httpx.Client(verify=verify, http2=trust is not None)


def upload(url: str, path: str) -> int:
    with httpx.Client() as client, open(path, "rb") as file:
        return int(client.put(url, content=file, timeout=60).text)


def stream_down(url: str) -> int:
    with httpx.Client() as client, client.stream("GET", url) as response:
        return sum(map(len, response.iter_bytes(PIECE)))


def stream_up(url: str, size: str) -> int:
    with httpx.Client() as client:
        return int(client.put(url, content=_pieces(int(size)), timeout=60).text)


def _pieces(size: int) -> Iterator[bytes]:
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        yield piece
