"""primp (Rust: reqwest), with a Client."""

from collections.abc import Callable
from typing import Any

import primp


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    client = primp.Client() if trust is None else primp.Client(ca_cert_file=trust)
    return lambda: client.get(url).json(), lambda: None


def download(url: str) -> int:
    return len(primp.Client().get(url).content)
