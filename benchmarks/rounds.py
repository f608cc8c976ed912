"""Interleaved rounds: every client a short turn, again and again, and medians of what came out.

Noise on a small machine comes in waves longer than a turn. A ratio is therefore taken within a
round, where both clients met the same wave, and only then is the median of the rounds taken.
"""

from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from children import ClientFailed, Cost
from tables import complain

__all__ = ["Plan", "Rounds", "Work", "interleave"]

Work = Callable[[int], Cost]  # does something so many times, gives the cost of one


class Plan(NamedTuple):
    """How long to measure."""

    rounds: int
    turn_seconds: float  # what one client's turn should take; 0: it does its work once a turn

    def fewer_rounds(self, factor: int) -> "Plan":
        """For work that takes long."""
        return self._replace(rounds=max(3, self.rounds // factor))


class Rounds:
    """What every client cost in every round."""

    def __init__(self, costs: dict[str, list[Cost]]) -> None:
        self._costs = costs

    @property
    def clients(self) -> list[str]:
        """Those that got to the end."""
        return list(self._costs)

    def typical(self, client: str) -> Cost:
        """Medians of the rounds, but of memory the most: later rounds reuse what is there."""
        costs = self._costs[client]
        wall = median(cost.wall for cost in costs)
        cpu = median(cost.cpu for cost in costs)
        return Cost(wall, cpu, max(cost.memory for cost in costs))

    def ratio(self, client: str, base: str, what: str) -> float | None:
        """How many times as much as `base` the client took of "wall" or "cpu"."""
        if client not in self._costs or base not in self._costs:
            return None
        pairs = zip(self._costs[client], self._costs[base], strict=True)
        return float(median(getattr(cost, what) / getattr(other, what) for cost, other in pairs))


def interleave(works: dict[str, Work], plan: Plan) -> Rounds:
    """Run all `works` in turn, `plan.rounds` times. One that fails is named and left out."""
    costs: dict[str, list[Cost]] = {}
    counts: dict[str, int] = {}

    def attempt(name: str, count: int) -> Cost | None:
        try:
            return works[name](count)
        except ClientFailed as error:
            complain(str(error))
            counts.pop(name, None)
            costs.pop(name, None)
            return None

    for name in works:
        if not plan.turn_seconds:
            counts[name], costs[name] = 1, []
            continue
        once = attempt(name, 1)
        if once and once.wall < plan.turn_seconds:
            once = attempt(name, 5)  # the first was cold
        if once:
            counts[name] = min(5000, max(1, round(plan.turn_seconds / once.wall)))
            costs[name] = []
    for number in range(plan.rounds):
        # Each round starts with another one: nobody always runs behind the same neighbour.
        names = list(counts)
        start = number % max(1, len(names))
        for name in names[start:] + names[:start]:
            cost = attempt(name, counts[name])
            if cost:
                costs[name].append(cost)
    return Rounds(costs)
