"""Requests' `auth` module: names of `gofer.stages.auth`."""

from gofer.stages.auth import AuthBase, NoAuth
from gofer.stages.auth.basic import HTTPBasicAuth, HTTPProxyAuth, basic_auth_value
from gofer.stages.auth.digest import HTTPDigestAuth, HTTPProxyDigestAuth

__all__ = [
    "CONTENT_TYPE_FORM_URLENCODED",
    "CONTENT_TYPE_MULTI_PART",
    "AuthBase",
    "HTTPBasicAuth",
    "HTTPDigestAuth",
    "HTTPProxyAuth",
    "HTTPProxyDigestAuth",
    "NoAuth",
]

CONTENT_TYPE_FORM_URLENCODED = "application/x-www-form-urlencoded"
CONTENT_TYPE_MULTI_PART = "multipart/form-data"

_basic_auth_str = basic_auth_value
