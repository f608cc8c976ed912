"""Requests' `status_codes` module."""

from gofer.messages.status_codes import codes

__all__ = ["codes"]
