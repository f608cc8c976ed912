"""What the stages do, they do in every world."""

from worlds import world

__all__ = ["world"]
