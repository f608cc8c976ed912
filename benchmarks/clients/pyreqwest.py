"""pyreqwest (Rust: reqwest), its blocking client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyreqwest.client import SyncClientBuilder


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    builder = SyncClientBuilder()
    if trust is not None:
        builder = builder.add_root_certificate_pem(Path(trust).read_bytes())
    client = builder.build()
    return lambda: client.get(url).build().send().json(), client.close


def download(url: str) -> int:
    with SyncClientBuilder().build() as client:
        return len(client.get(url).build().send().bytes())
