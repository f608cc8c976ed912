"""pyreqwest (Rust: reqwest), its blocking client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyreqwest.client import SyncClientBuilder


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    client = _client(trust)
    return lambda: client.get(url).build().send().json(), client.close


def download(url: str, trust: str | None = None) -> int:
    with _client(trust) as client:
        return len(client.get(url).build().send().bytes())


def _client(trust: str | None) -> Any:
    builder = SyncClientBuilder()
    if trust is not None:
        builder = builder.add_root_certificate_pem(Path(trust).read_bytes())
    return builder.build()
