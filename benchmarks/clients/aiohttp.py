"""aiohttp, with a ClientSession, without its bound of 100 connections."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp


async def connect(
    url: str, trust: str | None
) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    context: Any = True if trust is None else ssl.create_default_context(cafile=trust)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context))

    async def fetch() -> Any:
        async with session.get(url) as response:
            return await response.json()

    return fetch, session.close
