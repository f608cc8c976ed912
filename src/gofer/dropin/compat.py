"""Requests' `compat` module: names of the standard library that programs take from there."""

import json
from builtins import bytes, str  # noqa: UP029  (they are this module's names)
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from http import cookiejar as cookielib
from http.cookies import Morsel
from importlib.util import find_spec
from io import StringIO
from json import JSONDecodeError
from types import ModuleType
from urllib.parse import (
    quote,
    quote_plus,
    unquote,
    unquote_plus,
    urldefrag,
    urlencode,
    urljoin,
    urlparse,
    urlsplit,
    urlunparse,
)
from urllib.request import (  # type: ignore[attr-defined]
    getproxies,
    getproxies_environment,
    parse_http_list,
    proxy_bypass,
    proxy_bypass_environment,
)

__all__ = [
    "Callable", "JSONDecodeError", "Mapping", "Morsel", "MutableMapping", "OrderedDict",
    "StringIO", "basestring", "builtin_str", "bytes", "chardet", "cookielib", "getproxies",
    "getproxies_environment", "has_simplejson", "integer_types", "is_py2", "is_py3",
    "is_urllib3_1", "json", "numeric_types", "parse_http_list", "proxy_bypass",
    "proxy_bypass_environment", "quote", "quote_plus", "str", "unquote", "unquote_plus",
    "urldefrag", "urlencode", "urljoin", "urlparse", "urlsplit", "urlunparse",
]  # fmt: skip

is_py2 = False
is_py3 = True
is_urllib3_1 = False
has_simplejson = False

builtin_str = str
basestring = (str, bytes)
numeric_types = (int, float)
integer_types = (int,)


def _charset_guesser() -> ModuleType | None:
    """Whichever of the libraries that guess charsets is there."""
    from importlib import import_module

    for name in ("chardet", "charset_normalizer"):
        if find_spec(name) is not None:
            return import_module(name)
    return None


chardet = _charset_guesser()
