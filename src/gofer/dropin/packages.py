"""Requests' `packages` module: `requests.packages.urllib3` and its modules, `idna`, `chardet`.

Each is the real one if it is installed. urllib3 need not be: then `urllib3_face` answers for what
programs ask of it there.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["real_name"]

__path__: list[str] = []  # a package, whose modules a finder finds: see `real_name`

_FACE = "gofer.dropin.urllib3_face"


def real_name(name: str) -> str | None:
    """The module that `packages.<name>` stands for; None if there is none."""
    top, dot, rest = name.partition(".")
    if top == "chardet":
        return (_charset_guesser() or "") + dot + rest or None
    if top not in ("urllib3", "idna"):
        return None
    if find_spec(top) is not None:
        return name
    if top == "urllib3":
        return f"{_FACE}{dot}{rest}"
    return None


def _charset_guesser() -> str | None:
    """Whichever of the libraries that guess charsets is there."""
    for name in ("chardet", "charset_normalizer"):
        if find_spec(name) is not None:
            return name
    return None


def __getattr__(name: str) -> Any:
    if name == "chardet":  # may be there under its other name, or not at all
        guesser = _charset_guesser()
        return None if guesser is None else import_module(guesser)
    real = None if name.startswith("_") else real_name(name)
    if real is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module: ModuleType = import_module(real)
    globals()[name] = module
    return module
