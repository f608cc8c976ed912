"""pyreqwest (Rust: reqwest), its asynchronous client."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pyreqwest.client import ClientBuilder


async def connect(
    url: str, trust: str | None
) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    builder = ClientBuilder()
    if trust is not None:
        builder = builder.add_root_certificate_pem(Path(trust).read_bytes())
    client = builder.build()

    async def fetch() -> Any:
        return await (await client.get(url).build().send()).json()

    return fetch, client.close
