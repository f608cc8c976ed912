"""`install_as_requests`: from here on, `import requests` means gofer.

Nothing of this happens by itself, and no file named requests is ever installed: a finder on
`sys.meta_path` answers for the name and for every module below it, until `uninstall`.

    requests            a face of its own: today's names, and a version programs can compare
    requests.adapters   gofer.adapters, and so on: the very same modules

State: the finder, and in `_defaults_before` the package defaults as they were.
"""

import sys
from typing import Any

from gofer.config import defaults
from gofer.dropin.aliases import MODULES, find

__all__ = ["install_as_requests", "uninstall_as_requests"]

# What Requests does where gofer's own defaults differ: content is read before a call returns, and
# nothing is given up for taking long.
REQUESTS_DEFAULTS: dict[str, Any] = {
    "prefetch": True,
    "connect_timeout": None,
    "read_timeout": None,
    "write_timeout": None,
    "pool_timeout": None,
}

_defaults_before: dict[str, Any] | None = None  # while it is installed


def install_as_requests() -> None:
    """Make `import requests` and all of its modules resolve to gofer, with Requests' defaults.

    Has no effect when it is so already. `uninstall_as_requests()` takes it back.

    Raises:
        ImportError: the real Requests has been imported before: what holds it would go on using
            it. Call this at the top of the program, before anything imports requests.
    """
    global _defaults_before
    if _defaults_before is not None:
        return
    if "requests" in sys.modules:
        raise ImportError(
            "install_as_requests(): requests has been imported before, from"
            f" {getattr(sys.modules['requests'], '__file__', None) or 'somewhere'}, and whoever"
            " did would keep it; expected the call at the top of the program, or"
            " `python -m gofer.as_requests program.py`"
        )
    _defaults_before = {name: dict.get(defaults, name) for name in REQUESTS_DEFAULTS}
    defaults.update(REQUESTS_DEFAULTS)
    sys.meta_path.insert(0, _Finder)  # before a real one is found


def uninstall_as_requests() -> None:
    """Take `install_as_requests()` back: modules imported from now on find the real one again.

    Whoever imported requests in between keeps gofer.
    """
    global _defaults_before
    if _defaults_before is None:
        return
    sys.meta_path.remove(_Finder)
    defaults.update(_defaults_before)
    for name in [name for name in sys.modules if name.partition(".")[0] == "requests"]:
        del sys.modules[name]
    _defaults_before = None


def is_installed() -> bool:
    """True while `import requests` means gofer."""
    return _defaults_before is not None


class _Finder:
    """Finds Requests' modules, which are gofer's of the same name."""

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG004
        package, _, name = fullname.partition(".")
        if package != "requests" or (name and name.partition(".")[0] not in MODULES):
            return None
        return find(fullname, name)
