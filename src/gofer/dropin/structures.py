"""Requests' `structures` module."""

from gofer.messages.fields import Headers as CaseInsensitiveDict
from gofer.messages.status_codes import LookupDict

__all__ = ["CaseInsensitiveDict", "LookupDict"]
