"""What happens when something is dropped."""

import gc

from gofer.network.endings import keep, when_dropped


class Thing:
    """Something to drop; with `other` it can be part of a cycle."""

    def __init__(self) -> None:
        self.other: object = None


def test_it_happens_when_the_last_reference_goes() -> None:
    """Once, with its arguments."""
    happened: list[str] = []
    thing = Thing()
    when_dropped(thing, happened.append, "gone")
    assert [] == happened
    del thing

    assert ["gone"] == happened


def test_it_happens_in_a_cycle_before_finalizers() -> None:
    """Those of everything else in the cycle come after it."""
    happened: list[str] = []

    class Complaining(Thing):
        def __del__(self) -> None:
            happened.append("complained")

    first, thing = Complaining(), Thing()
    first.other, thing.other = thing, first
    when_dropped(thing, happened.append, "gone")
    del first, thing
    gc.collect()

    assert ["gone", "complained"] == happened


def test_it_does_not_happen_when_there_is_nothing_left_to_do() -> None:
    """`keep`, once or twice, before or after."""
    happened: list[str] = []
    thing = Thing()
    number = when_dropped(thing, happened.append, "gone")
    keep(number)
    keep(number)
    del thing
    keep(number)

    assert [] == happened
