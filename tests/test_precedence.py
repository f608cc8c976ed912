"""Call over session over package: what a request is sent with at last."""

from typing import Any

import pytest

import gofer
from gofer.config import Settings, Timeouts
from gofer.precedence import settings_for_call


def for_call(session: gofer.Session, **said: Any) -> Settings:
    """The settings of a call on `session` that says this itself."""
    return settings_for_call(session._settings_now_(), session.timeout, **said)


@pytest.mark.parametrize("said", [{"deadline": 5}, {"config": {"deadline": 5}}])
def test_a_deadline_counts_beside_timeouts(said: dict[str, Any]) -> None:
    """`Timeouts` without a `total` take away no deadline that was said with them."""
    limits = Timeouts(connect=3)

    on_call = for_call(gofer.Session(), timeout=limits, **said)
    on_session = gofer.Session(timeout=limits, **said)._settings_now_()

    assert limits.replace(total=5) == on_call.timeouts == on_session.timeouts


def test_timeouts_of_a_call_are_all_of_them() -> None:
    """What they leave out has no limit, though its session has a deadline."""
    limits = Timeouts(connect=3)

    assert limits == for_call(gofer.Session(deadline=5), timeout=limits).timeouts


def test_none_is_no_limit_for_a_call_either() -> None:
    """A call switches a limit of its session off by the key that set it, the deadline like others."""
    session = gofer.Session(config={"deadline": 5, "read_timeout": 20})

    said = for_call(session, config={"deadline": None, "read_timeout": None})

    assert (None, None) == (said.timeouts.total, said.timeouts.read)
    assert (5, 20) == (
        session._settings_now_().timeouts.total,
        session._settings_now_().timeouts.read,
    )
