"""wreq (Rust, BoringSSL), its asynchronous client."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from wreq import Client


async def connect(
    url: str, trust: str | None
) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    client = Client() if trust is None else Client(tls_verify=Path(trust))

    async def fetch() -> Any:
        return await (await client.get(url)).json()

    async def close() -> None:
        client.close()

    return fetch, close
