"""One module by several names: `gofer.models` is `gofer.dropin.models`, and never a copy of it.

One of Requests' modules also answers for the names that programs take from there by accident.
"""

from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["MODULES", "find"]

ModuleSpec: Any = type(__spec__)  # to import importlib.machinery would take longer than all this

# Requests' modules, each of which gofer has under the same name.
MODULES = (
    "__version__", "_internal_utils", "adapters", "api", "auth", "certs", "compat", "cookies",
    "exceptions", "help", "hooks", "models", "packages", "sessions", "status_codes",
    "structures", "utils",
)  # fmt: skip


def find(fullname: str, name: str) -> Any:
    """What a finder answers for the module `fullname`, which is `name` of Requests' modules.

    Returns:
        A spec that loads gofer's module of that name; None if there is no such module.
    """
    real_name: str | None = f"gofer.dropin.{name}"
    if name in _ELSEWHERE:
        real_name = _ELSEWHERE[name]
    elif name.startswith("packages."):
        from gofer.dropin.packages import real_name as real_name_of

        real_name = real_name_of(name.removeprefix("packages."))
    elif "." in name:
        real_name = None
    if real_name is None:
        return None
    return ModuleSpec(fullname, _Alias(real_name, lends=name in MODULES))


# Requests' modules that are not in `dropin/` under their own names.
_ELSEWHERE = {
    "": "gofer.dropin.requests_face",
    "__version__": "gofer.dropin.requests_version",
    "_internal_utils": "gofer.dropin.utils",
    "api": "gofer.api",
    "exceptions": "gofer.exceptions",
    "sessions": "gofer.sessions",
}


class _Alias:
    """A loader that gives a module that is there, or can be had, by another name.

    Args:
        lends: what the module has not is looked for in `incidental.py`.
    """

    def __init__(self, real_name: str, *, lends: bool) -> None:
        self._real_name = real_name
        self._lends = lends
        self._own_spec: Any = None

    def get_code(self, fullname: str) -> Any:
        """Its code, for `python -m` and the name it is given there."""
        del fullname
        return (
            import_module("importlib.util")
            .find_spec(self._real_name)
            .loader.get_code(self._real_name)
        )

    def create_module(self, spec: Any) -> ModuleType:
        """The very module, not a copy: what is patched in one is patched in both."""
        module = import_module(self._real_name)
        self._own_spec = module.__spec__
        if self._lends:
            vars(module).setdefault("__getattr__", partial(_lent, module.__name__))
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; the import system has only given it another spec, which goes."""
        module.__spec__ = self._own_spec


def _lent(module: str, name: str) -> Any:
    from gofer.dropin.incidental import find

    return find(module, name)
