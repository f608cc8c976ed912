"""The `defaults` module of 2012: the package defaults, one dict for a whole program."""

from gofer.config import SETTINGS, defaults

__all__ = ["SETTINGS", "defaults"]
