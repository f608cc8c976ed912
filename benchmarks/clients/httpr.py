"""httpr (Rust: reqwest), with a Client."""

from collections.abc import Callable
from typing import Any

import httpr


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    client = httpr.Client() if trust is None else httpr.Client(ca_cert_file=trust)
    return lambda: client.get(url).json(), client.close


def download(url: str) -> int:
    with httpr.Client() as client:
        return len(client.get(url).content)
