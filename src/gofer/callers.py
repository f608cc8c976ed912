"""Who called gofer, for warnings to be shown where he stands."""

import sys

__all__ = ["level_of_caller"]


def level_of_caller() -> int:
    """The `stacklevel` of whoever called gofer, for a warning given by our caller."""
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("gofer."):
        frame = frame.f_back
        level += 1
    return level
