"""`install_as_requests`: from here on, `import requests` means gofer.

Nothing of this happens by itself, and no file named requests is ever installed: a finder on
`sys.meta_path` answers for the name and for every module below it, until `uninstall`.

    requests            a face of its own: today's names, and a version programs can compare
    requests.adapters   gofer.adapters, and so on: the very same modules

State: the finder, and the package defaults as they were before.
"""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from gofer.config import defaults

__all__ = ["install_as_requests", "uninstall_as_requests"]

# Requests' modules, each of which gofer has under the same name.
MODULES = (
    "__version__", "adapters", "api", "auth", "certs", "compat", "cookies", "exceptions", "help",
    "hooks", "models", "packages", "sessions", "status_codes", "structures", "utils",
)  # fmt: skip

# What Requests does where gofer's own defaults differ: content is read before a call returns, and
# nothing is given up for taking long.
REQUESTS_DEFAULTS: dict[str, Any] = {
    "prefetch": True,
    "connect_timeout": None,
    "read_timeout": None,
    "write_timeout": None,
}

# Those that say something else under the name of requests than under gofer's.
_FACES = {"": "gofer.dropin.requests_face", "__version__": "gofer.dropin.requests_version"}

_installed: "_Finder | None" = None


def install_as_requests() -> None:
    """Make `import requests` and all of its modules resolve to gofer, with Requests' defaults.

    Has no effect when it is so already. `uninstall_as_requests()` takes it back.

    Raises:
        ImportError: the real Requests has been imported before: what holds it would go on using
            it. Call this at the top of the program, before anything imports requests.
    """
    global _installed
    if _installed is not None:
        return
    if "requests" in sys.modules:
        raise ImportError(
            "install_as_requests(): requests has been imported before, from"
            f" {getattr(sys.modules['requests'], '__file__', None) or 'somewhere'}, and whoever"
            " did would keep it; expected the call at the top of the program, or"
            " `python -m gofer.as_requests program.py`"
        )
    _installed = _Finder()
    sys.meta_path.insert(0, _installed)


def uninstall_as_requests() -> None:
    """Take `install_as_requests()` back: modules imported from now on find the real one again.

    Whoever imported requests in between keeps gofer.
    """
    global _installed
    if _installed is None:
        return
    sys.meta_path.remove(_installed)
    _installed.restore_defaults()
    for name in [name for name in sys.modules if name.partition(".")[0] == "requests"]:
        del sys.modules[name]
    _installed = None


class _Finder(MetaPathFinder, Loader):
    """Finds `requests` and the modules below it, and loads gofer's of the same name."""

    def __init__(self) -> None:
        self._before = {name: dict.get(defaults, name) for name in REQUESTS_DEFAULTS}
        self._own_specs: dict[str, Any] = {}
        defaults.update(REQUESTS_DEFAULTS)

    def restore_defaults(self) -> None:
        """Put the package defaults back."""
        defaults.update(self._before)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec of a module that is ours to answer for; None otherwise."""
        package, _, name = fullname.partition(".")
        if package != "requests" or (name and name.partition(".")[0] not in MODULES):
            return None
        return ModuleSpec(fullname, self, is_package=not name or name == "packages")

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The very module of gofer's, not a copy: what is patched in one is patched in both."""
        name = spec.name.removeprefix("requests").removeprefix(".")
        module = import_module(f"gofer.{name}" if name not in _FACES else _FACES[name])
        self._own_specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; the import system has only given it another spec, which goes."""
        assert module.__spec__ is not None
        module.__spec__ = self._own_specs.pop(module.__spec__.name)
