"""Torture is the same in every world."""

from worlds import world

__all__ = ["world"]
