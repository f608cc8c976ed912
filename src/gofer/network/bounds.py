"""Dicts that threads share without a lock and that must not grow without end."""

from typing import Any

__all__ = ["make_room"]


def make_room(known: dict[Any, Any], most: int) -> None:
    """Forget the oldest of `known` until it is less than `most`.

    Others may change it meanwhile: a list of its keys is made at once, where an iterator, which
    is made first and asked later, complains that the size has changed.
    """
    while len(known) >= most:
        for key in list(known)[: len(known) - most + 1]:
            known.pop(key, None)
