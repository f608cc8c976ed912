"""Requests' `utils` module: the functions its users import."""

from gofer.messages.content import length as super_len
from gofer.messages.media import encoding_from_headers as get_encoding_from_headers
from gofer.messages.url import requote as requote_uri
from gofer.messages.url import unquote_unreserved

__all__ = ["get_encoding_from_headers", "requote_uri", "super_len", "unquote_unreserved"]
