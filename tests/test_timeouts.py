"""`Timeouts`, and the values that stand for them."""

import pickle
from typing import Any

import pytest

from gofer.timeouts import PHASES, Timeouts, timeouts_from


@pytest.mark.parametrize("value", [0, -1, True, "x", float("nan"), 10**400, [], object()])
def test_what_is_no_number_of_seconds_is_refused(value: Any) -> None:
    """By every phase; the error says which one, and what was expected."""
    for phase in PHASES:
        with pytest.raises(ValueError, match=rf"timeout \({phase}\).*seconds"):
            Timeouts(**{phase: value})


def test_a_number_a_pair_and_timeouts() -> None:
    """What they do not name is as it was; `Timeouts` name everything."""
    base = Timeouts(1, 2, 3, 4, 5)

    assert Timeouts(9, 9, 9, 4, 5) == timeouts_from(9, base)
    assert Timeouts(8, None, 3, 4, 5) == timeouts_from((8, None), base)
    assert Timeouts(read=7) == timeouts_from(Timeouts(read=7), base)


def test_they_are_values() -> None:
    """Equal and hashed by their limits, not to be changed, pickled, replaced one by one."""
    limits = Timeouts(connect=1, total=5)

    assert limits == pickle.loads(pickle.dumps(limits))
    assert 1 == len({limits, Timeouts(connect=1, total=5)})
    assert Timeouts(connect=1, read=2, total=5) == limits.replace(read=2)
    with pytest.raises(AttributeError):
        limits.read = 2
