"""The module that `import requests` gives while gofer stands in for it (`install.py`).

Requests' public names, each looked up in gofer when it is first used.
"""

from typing import Any

import gofer
from gofer.dropin import requests_version
from gofer.dropin.incidental import find

__all__ = (  # noqa: F822
    "ConnectTimeout", "ConnectionError", "HTTPError", "JSONDecodeError", "PreparedRequest",
    "ReadTimeout", "Request", "RequestException", "Response", "Session", "Timeout",
    "TooManyRedirects", "URLRequired", "codes", "delete", "get", "head", "options", "packages",
    "patch", "post", "put", "request", "session", "utils",
)  # fmt: skip

# What a program finds here by accident: Requests imports it for itself.
_INCIDENTAL = (
    "DependencyWarning", "NullHandler", "RequestsDependencyWarning", "logging", "ssl", "urllib3",
    "warnings",
)  # fmt: skip

__path__: list[str] = []  # a package, whose modules `install.py` finds


def check_compatibility(
    urllib3_version: str, chardet_version: str | None, charset_normalizer_version: str | None
) -> None:
    """Nothing to check: none of them is needed."""


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        return getattr(requests_version, name)
    if name in _INCIDENTAL:
        return find(__name__, name)
    return getattr(gofer, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *dir(gofer)})
