"""Every public name of Requests is there, and takes the same arguments in the same places."""

import importlib
import inspect
import json
import subprocess
import sys
from typing import Any

MODULES = (
    "adapters", "api", "auth", "cookies", "hooks", "models", "sessions", "structures", "utils",
)  # fmt: skip

# What differs on purpose, and why.
JUSTIFIED = {
    "models.Response.iter_content": "None: as the setting decode_unicode says",
    "models.Response.iter_lines": "the same",
    "utils.default_user_agent": "the name is gofer's",
}


def shapes(package: str) -> dict[str, list[list[Any]]]:
    """The parameters of each public function, class and method of the package's modules."""
    found: dict[str, list[list[Any]]] = {}

    def look_at(name: str, thing: Any) -> None:
        try:
            parameters = inspect.signature(thing).parameters.values()
        except (TypeError, ValueError):
            return
        found[name] = [described(one) for one in parameters]

    for module_name in MODULES:
        module = importlib.import_module(f"{package}.{module_name}")
        for name, thing in sorted(vars(module).items()):
            if name.startswith("_") or not callable(thing) or name == "annotations":
                continue
            if getattr(thing, "__module__", "") != f"{package}.{module_name}":
                continue
            look_at(f"{module_name}.{name}", thing)
            if inspect.isclass(thing):
                for method, function in inspect.getmembers(thing, inspect.isroutine):
                    if not method.startswith("_") and method not in vars(object):
                        look_at(f"{module_name}.{name}.{method}", function)
    return found


def described(parameter: inspect.Parameter) -> list[Any]:
    """Name, kind and default, as they compare between processes."""
    default = None if parameter.default is parameter.empty else repr(parameter.default)
    if default is not None and " at 0x" in default:
        default = "something"
    return [parameter.name, parameter.kind.name, default]


def real_shapes() -> dict[str, list[list[Any]]]:
    """Those of the real Requests, which is imported by another process."""
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import json, third_party.test_signatures as here\n"
        "print(json.dumps(here.shapes('requests')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    shapes: dict[str, list[list[Any]]] = json.loads(done.stdout)
    return shapes


def difference(theirs: list[list[Any]], ours: list[list[Any]]) -> str | None:
    """What of their parameters is not ours; None if all are. Ours may go on with optional ones."""
    for position, (name, kind, default) in enumerate(theirs):
        if kind == "VAR_KEYWORD":
            if not any(one[1] == "VAR_KEYWORD" for one in ours):
                return f"no **{name}"
            continue
        if position >= len(ours):
            return f"no {name}"
        if ours[position][0] != name or ours[position][1] != kind:
            return f"{name} in place {position}: {ours[position]}"
        if ours[position][2] != default and default is not None:  # ours may be optional
            return f"{name}={default}: {ours[position][2]}"
    for name, kind, default in ours[len(theirs) :]:
        if default is None and kind not in ("VAR_KEYWORD", "VAR_POSITIONAL"):
            return f"more: {name}"
    return None


def test_signatures() -> None:
    """Compared with the real Requests, name by name."""
    differences = {}
    for name, theirs in real_shapes().items():
        module_name, *path = name.split(".")
        thing: Any = importlib.import_module(f"gofer.{module_name}")
        try:
            for part in path:
                thing = getattr(thing, part)
            parameters = inspect.signature(thing).parameters.values()
        except (AttributeError, ValueError) as error:
            differences[name] = repr(error)
            continue
        ours = [described(one) for one in parameters]
        found = difference(theirs, ours)
        if found is not None:
            differences[name] = found

    assert JUSTIFIED.keys() == differences.keys(), "\n".join(map(str, differences.items()))
