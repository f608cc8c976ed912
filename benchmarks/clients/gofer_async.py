"""gofer's AsyncSession."""

from collections.abc import Awaitable, Callable
from typing import Any

import gofer

MOST = 1000  # connections, by default fewer idle ones are kept


async def connect(
    url: str, trust: str | None
) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    session = gofer.AsyncSession(config={"pool_maxsize": MOST})
    if trust is not None:
        session.verify = trust

    async def fetch() -> Any:
        return (await session.get(url)).json()

    return fetch, session.aclose
