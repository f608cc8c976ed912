"""A server's gate, for tests that look at a call before its answer is complete."""

from collections.abc import Iterator

import pytest

from servers.listener import Gate
from servers.web import Web
from worlds import world

__all__ = ["gate", "world"]


@pytest.fixture
def gate(web: Web) -> Iterator[Gate]:
    """The gate of `/gate/late` and `/gate/late/content`; open at the end of the test anyway."""
    gate = web.gates["late"]
    yield gate
    gate.set()
