"""httpx's AsyncClient."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import httpx


async def connect(
    url: str, trust: str | None
) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    verify = True if trust is None else ssl.create_default_context(cafile=trust)
    client = httpx.AsyncClient(verify=verify, http2=trust is not None)

    async def fetch() -> Any:
        return (await client.get(url)).json()

    return fetch, client.aclose
