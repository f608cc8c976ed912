"""Names that lead to loopback, so that a test has as many hosts as it likes."""

import socket
from typing import Any

import pytest

from worlds import world

__all__ = ["names", "world"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, world: Any) -> list[str]:
    """Every name has the address 127.0.0.1; the names that were looked up, in order."""
    asked: list[str] = []

    async def resolve(self: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(type(world), "resolve", resolve)
    return asked
