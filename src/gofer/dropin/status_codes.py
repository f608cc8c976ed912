"""Requests' `status_codes` module."""

from gofer.messages.status_codes import NAMES as _codes  # by this name programs take it
from gofer.messages.status_codes import codes

__all__ = ["_codes", "codes"]
