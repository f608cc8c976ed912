"""gofer: an HTTP client for Python. A gofer runs your errands.

    >>> import gofer
    >>> gofer.get("https://example.com/").text  # doctest: +SKIP

Names are bound when they are first used (PEP 562), so that `import gofer` stays cheap.
"""

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__title__ = "gofer"
__description__ = "An HTTP client: Requests' API, safe and fast."
__author__ = "The gofer authors"
__license__ = "Apache-2.0"

# Each public name and the module it lives in.
_HOMES = {
    "aio": ("AsyncSession",),
    "api": ("delete", "get", "head", "options", "patch", "post", "put", "request"),
    "bulk": ("imap", "map"),
    "config": ("Timeouts",),
    "dropin.install": ("install_as_requests", "uninstall_as_requests"),
    "dropin.models": ("PreparedRequest", "Request", "Response"),
    "exceptions": (
        "ConnectionError", "ConnectTimeout", "DeadlineExceeded", "FileModeWarning", "GoferError",
        "GoferWarning", "HTTPError", "HookWarning", "JSONDecodeError", "PoolTimeout",
        "ReadTimeout", "RequestException", "Timeout", "TooManyRedirects", "URLRequired",
        "WriteTimeout",
    ),
    "messages.status_codes": ("codes",),
    "sessions": ("Session", "session"),
    "stages.auth": ("NoAuth",),
    "stages.retries": ("Retry",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

# Requests' module names that are thin faces in dropin/: `gofer.auth`, `from gofer.auth import …`.
# The package looks for its modules there too; this line is the one place that binds them.
# (Not by pathlib: with what it imports that is 6 ms, a seventh of a process that gets once.)
__path__.append(os.path.join(os.path.dirname(__file__), "dropin"))
_FACES = (
    "adapters", "as_requests", "auth", "certs", "compat", "cookies", "defaults", "help", "hooks",
    "models", "packages", "status_codes", "structures", "utils",
)  # fmt: skip
_MODULES = (*_FACES, "aio", "api", "async_", "config", "exceptions", "sessions")

# Without map: `from gofer import *` must not hide the builtin.
__all__ = sorted({*_HOME_OF, "__version__", "exceptions"} - {"map"})


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is not None:
        value = getattr(import_module(f"gofer.{home}"), name)
    elif name in _MODULES or name == "async":  # a keyword, but for getattr
        value = import_module(f"gofer.{name}")
    else:
        raise AttributeError(f"module 'gofer' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_MODULES})
