"""Names that Requests' modules import for themselves, and that programs take from there anyway.

`requests.models.urlencode`, `requests.adapters.Retry`, `requests.utils.os`: whatever one of those
modules lacks is looked for where it lives: in the others, in the standard library, in urllib3.
"""

import sys
from importlib import import_module
from typing import Any

__all__ = ["find"]

_HOMES = (
    "gofer.dropin.structures",
    "gofer.dropin.status_codes",
    "gofer.exceptions",
    "gofer.dropin.models",
    "gofer.dropin.cookies",
    "gofer.dropin.auth",
    "gofer.dropin.hooks",
    "gofer.dropin.compat",
    "gofer.dropin.steps",
    "gofer.dropin.utils",
    "gofer.dropin.adapters",
)

# Those that are in none of them, or by another name
_ELSEWHERE = {
    "BaseHTTPError": "gofer.packages.urllib3.exceptions.HTTPError",
    "CompatJSONDecodeError": "json.JSONDecodeError",
    "NullHandler": "logging.NullHandler",
    "PoolManager": "gofer.packages.urllib3.poolmanager.PoolManager",
    "RequestField": "gofer.packages.urllib3.fields.RequestField",
    "RequestsJSONDecodeError": "gofer.exceptions.JSONDecodeError",
    "RequestsSSLError": "gofer.exceptions.SSLError",
    "Retry": "gofer.packages.urllib3.util.retry.Retry",
    "Timeout": "gofer.packages.urllib3.util.Timeout",
    "TimeoutSauce": "gofer.packages.urllib3.util.Timeout",
    "UnsupportedOperation": "io.UnsupportedOperation",
    "b64encode": "base64.b64encode",
    "complexjson": "gofer.dropin.compat.json",
    "encode_multipart_formdata": "gofer.packages.urllib3.filepost.encode_multipart_formdata",
    "make_headers": "gofer.packages.urllib3.util.make_headers",
    "parse_url": "gofer.packages.urllib3.util.parse_url",
    "preferred_clock": "time.perf_counter",
    "proxy_from_url": "gofer.packages.urllib3.poolmanager.proxy_from_url",
    "timedelta": "datetime.timedelta",
    "urllib3": "gofer.packages.urllib3",
}


def find(module: str, name: str) -> Any:
    """What `name` means in `module`, which has no such name of its own.

    Raises:
        AttributeError: nobody has one.
    """
    if not name.startswith("__"):  # the import system asks for __path__
        for home in _HOMES:
            names = vars(import_module(home))
            if name in names and home != module:
                return names[name]
        if name in sys.stdlib_module_names:
            return import_module(name)
        path = _ELSEWHERE.get(name, f"gofer.packages.urllib3.exceptions.{name}")
        place, _, there = path.rpartition(".")
        try:
            return getattr(import_module(place), there)
        except (ImportError, AttributeError):
            pass
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
