"""One module by several names: `gofer.models` is `gofer.dropin.models`, and never a copy of it."""

from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["alias"]

ModuleSpec: Any = type(__spec__)  # to import importlib.machinery would take longer than all this


def alias(name: str, real_name: str) -> Any:
    """The spec by which a finder says that `name` is the module `real_name`."""
    return ModuleSpec(name, _Alias(real_name), is_package=True)


class _Alias:
    """A loader that gives a module that is there, or can be had, by another name."""

    def __init__(self, real_name: str) -> None:
        self._real_name = real_name
        self._own_spec: Any = None

    def create_module(self, spec: Any) -> ModuleType:
        """The very module, not a copy: what is patched in one is patched in both."""
        module = import_module(self._real_name)
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; the import system has only given it another spec, which goes."""
        module.__spec__ = self._own_spec
