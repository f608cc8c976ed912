"""wreq (Rust, BoringSSL), its blocking client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wreq.blocking import Client


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    client = Client() if trust is None else Client(tls_verify=Path(trust))
    return lambda: client.get(url).json(), client.close


def download(url: str, trust: str | None = None) -> int:
    client = Client() if trust is None else Client(tls_verify=Path(trust))
    return len(client.get(url).bytes())
