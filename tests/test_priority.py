"""How urgent a request is beside others (RFC 9218)."""

from typing import Any

import pytest

import gofer
from servers.web import Web
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")


@pytest.mark.parametrize(
    ("priority", "field"),
    [(0, "u=0"), (7, "u=7"), ("u=5", "u=5"), ("i", "i"), ("u=1, i", "u=1, i"), ("i=?0,u=2",) * 2],
)
def test_it_is_a_field(web: Web, session: gofer.Session, priority: Any, field: str) -> None:
    answer = session.get(f"{web.url}/headers", priority=priority, headers={"X-Own": "1"})
    assert answer.json()["headers"]["Priority"] == field
    assert answer.json()["headers"]["X-Own"] == "1"
    assert "Priority" not in session.get(f"{web.url}/headers").json()["headers"]


@pytest.mark.parametrize("priority", [-1, 8, "u=8", "high", "", "u=1; x", True, 1.5, "u=1\r\nX: y"])
def test_what_is_none(web: Web, session: gofer.Session, priority: Any) -> None:
    with pytest.raises(ValueError, match="expected 0"):
        session.get(f"{web.url}/headers", priority=priority)
    assert web.requests == []


def test_of_a_request_that_is_sent_later(web: Web, session: gofer.Session) -> None:
    unsent: Any = session.get(f"{web.url}/headers", priority=1, return_response=False)
    assert gofer.map([unsent])[0].json()["headers"]["Priority"] == "u=1"
