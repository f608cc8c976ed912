"""Imports go down only, and only the rooms that wait may wait.

faces → stages → network → {protocols, messages, codings, runtime.base} → {exceptions, timeouts, config}
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "gofer"
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"

FACES = {
    "__init__",
    "__main__",
    "api",
    "arguments",
    "sessions",
    "aio",
    "bulk",
    "bulk_clients",
    "bulk_input",
    "async_",
    "cli",
    "dropin",
}
FACES |= {
    "client",
    "listening",
    "precedence",
    "preparing",
    "progress",
    "road",
    "state",
    "verbs",
    "websocket",
}  # what Session and AsyncSession are made of
GROUND = {"callers", "exceptions", "timeouts", "config"}
MIDDLE = {"protocols", "messages", "codings", "runtime"}

# Floors from the top; a room may import from its own floor (only from itself on the third, see
# below) and from every floor under it.
FLOOR = {
    **dict.fromkeys(FACES, 5),
    "stages": 4,
    "network": 3,
    **dict.fromkeys(MIDDLE, 2),
    **dict.fromkeys(GROUND, 1),
}

# Rooms of one floor that build on each other: messages on the wire are made of messages, and a
# response takes the content codings off its content.
NEIGHBOURS = {("protocols", "messages"), ("messages", "codings")}

# Modules that wait, or make others wait.
WAITING = {"socket", "selectors", "select", "asyncio", "trio", "gevent", "anyio", "uvloop"}
MAY_WAIT = FACES | {"runtime"}

# Rooms that do no I/O and read no clock.
PURE = {"protocols", "messages", "codings"}
IMPURE = {"socket", "ssl", "selectors", "select", "asyncio", "time", "subprocess"}


class Import(NamedTuple):
    """One import: where it is written, and what it names."""

    path: Path
    line: int
    module: str
    is_type_checking: bool

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(SOURCE.parent)}:{self.line}"


def room_of(module: str) -> str:
    """`gofer.stages.auth.basic` is in the room `stages`; gofer itself is the face `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a file, the lazy ones in functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        for module in names_in(node, path):
            yield Import(path, node.lineno, module, id(node) in guarded)  # type: ignore[attr-defined]


def names_in(node: ast.AST, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = module_of(path).split(".")
        if path.name != "__init__.py":
            package.pop()
        package = package[: len(package) - node.level + 1]
        base = ".".join([*package, base] if base else package)
    if base == "gofer":  # `from gofer import exceptions` names a room below it, or a face
        return [f"gofer.{a.name}" if a.name in FLOOR else "gofer" for a in node.names]
    return [base]


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def all_imports() -> list[Import]:
    return [found for path in files() for found in imports_of(path)]


def test_every_room_is_on_a_floor():
    """A new room in src/gofer has its place in the picture above."""
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in files()}

    assert set() == rooms - FLOOR.keys()


def test_imports_go_down():
    """No module imports from a floor above it, or from a neighbour's room on the lower floors."""
    wrong = [
        f"{found.place}: {room_of(module_of(found.path))} imports {found.module}"
        for found in all_imports()
        if not found.is_type_checking and goes_up(module_of(found.path), found.module)
    ]

    assert [] == wrong


def goes_up(importer: str, imported: str) -> bool:
    if imported.split(".")[0] != "gofer":
        return False
    above, below = room_of(importer), room_of(imported)
    if above == below:
        return False
    if FLOOR.get(below, 0) == FLOOR.get(above, 0) == FLOOR["protocols"]:
        return (above, below) not in NEIGHBOURS
    if below == "runtime" and above not in FACES:  # the contract only, not one runtime
        return not imported.startswith("gofer.runtime.base")
    return FLOOR.get(below, 0) > FLOOR.get(above, 0)


def test_only_the_runtimes_and_the_faces_wait():
    """socket, selectors, asyncio and their like are imported by `runtime` and the faces alone."""
    wrong = [
        f"{found.place}: imports {found.module}"
        for found in all_imports()
        if found.module.split(".")[0] in WAITING
        and room_of(module_of(found.path)) not in MAY_WAIT
        and not found.is_type_checking
    ]

    assert [] == wrong


def test_nobody_else_sleeps():
    """`time.sleep` is called by `runtime` and the faces alone."""
    wrong = [
        f"{path.relative_to(SOURCE.parent)}:{node.lineno}"
        for path in files()
        if room_of(module_of(path)) not in MAY_WAIT
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if is_sleep(node)
    ]

    assert [] == wrong


def is_sleep(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(alias.name == "sleep" for alias in node.names)
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep"


def test_pure_rooms_do_no_io():
    """`protocols`, `messages` and `codings` open nothing and read no clock: `now` comes in."""
    wrong = [
        f"{found.place}: imports {found.module}"
        for found in all_imports()
        if found.module.split(".")[0] in IMPURE
        and room_of(module_of(found.path)) in PURE
        and not found.is_type_checking
    ]

    assert [] == wrong


# A newcomer finds everything ----------------------------------------------------------------------

# A file in a table of contents: four spaces, its name (a package's with a slash), and what it is.
CONTENTS_LINE = re.compile(r"^    (\w+(?:\.py|/)) {2,}\S", re.MULTILINE)


def contents_of(package: Path) -> list[str]:
    """The files that the docstring of a package's `__init__` lists."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    return CONTENTS_LINE.findall(ast.get_docstring(tree, clean=False) or "")


def modules_in(package: Path) -> set[str]:
    """What a package's table of contents has to list."""
    found = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    return found | {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}


def packages() -> list[Path]:
    return [path.parent for path in files() if path.name == "__init__.py" and path.parent != SOURCE]


def test_every_module_has_a_line():
    """The page about the architecture names what is in src/gofer, a package's `__init__` the rest.

    Each file once, and no file that is not there.
    """
    page = ARCHITECTURE.read_text(encoding="utf-8")

    assert [] == [name for name in sorted(modules_in(SOURCE)) if f"`{name}`" not in page]
    wrong = {
        str(package.relative_to(SOURCE)): sorted(modules_in(package) ^ set(contents_of(package)))
        for package in packages()
        if sorted(modules_in(package)) != sorted(contents_of(package))
    }
    assert {} == wrong


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("gofer.sessions", "gofer.stages.auth", False),
        ("gofer.stages.retries", "gofer.network.pool", False),
        ("gofer.stages.retries", "gofer.sessions", True),
        ("gofer.network.pool", "gofer", True),
        ("gofer.network.pool", "gofer.runtime.base", False),
        ("gofer.network.pool", "gofer.runtime.blocking", True),
        ("gofer.sessions", "gofer.runtime.blocking", False),
        ("gofer.messages.url", "gofer.exceptions", False),
        ("gofer.messages.url", "gofer.protocols.http1", True),
        ("gofer.protocols.http1", "gofer.messages.fields", False),
        ("gofer.exceptions", "gofer.messages.url", True),
        ("gofer.config", "ssl", False),
    ],
)
def test_the_rule_itself(importer: str, imported: str, expected: bool):
    """The rule says what the picture says."""
    assert expected == goes_up(importer, imported)
