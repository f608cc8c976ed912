"""Names that Requests' modules import for themselves, and that programs take from there anyway.

`requests.models.urlencode`, `requests.adapters.Retry`: whatever one of those modules lacks is
looked for where it lives, in the others and in urllib3.
"""

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
)

# urllib3's, by the names that Requests' modules have for them
_URLLIB3 = {
    "PoolManager": "poolmanager",
    "Retry": "util.retry",
    "Timeout": "util",
    "TimeoutSauce": "util",
    "parse_url": "util",
    "proxy_from_url": "poolmanager",
}


def find(module: str, name: str) -> Any:
    """What `name` means in `module`, which has no such name of its own.

    Raises:
        AttributeError: nobody has one.
    """
    for home in _HOMES:
        found = vars(import_module(home)).get(name)
        if found is not None and home != module:
            return found
    try:
        theirs = import_module(f"gofer.packages.urllib3.{_URLLIB3.get(name, 'exceptions')}")
        return getattr(theirs, name.removesuffix("Sauce"))
    except (ImportError, AttributeError):
        raise AttributeError(f"module {module!r} has no attribute {name!r}") from None
