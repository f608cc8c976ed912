"""gofer: an HTTP client for Python. A gofer runs your errands.

    >>> import gofer
    >>> gofer.get("https://example.com/").text  # doctest: +SKIP

Names are bound when they are first used (PEP 562), so that `import gofer` stays cheap.
"""

import sys
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
# This is the one place that binds them.
_FACES = (
    "adapters", "as_requests", "async", "auth", "certs", "compat", "cookies", "defaults", "help",
    "hooks", "models", "packages", "status_codes", "structures", "utils",
)  # fmt: skip
_MODULES = (*_FACES, "aio", "api", "async_", "config", "exceptions", "sessions")

# Without map: `from gofer import *` must not hide the builtin.
__all__ = sorted({*_HOME_OF, "__version__", "exceptions"} - {"map"})


class _Faces:
    """Finds `gofer.models` in `dropin/`: one module by two names, never two copies of it."""

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG004
        package, _, name = fullname.partition(".")
        if package != "gofer" or name.partition(".")[0] not in _FACES:
            return None
        from gofer.dropin.aliases import find

        return find(fullname, name)


sys.meta_path.append(_Faces)  # after all others: an import that succeeds costs no more


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is not None:
        value = getattr(import_module(f"gofer.{home}"), name)
    elif name in _MODULES:
        value = import_module(f"gofer.{name}")
    else:
        raise AttributeError(f"module 'gofer' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_MODULES})
