"""What `import gofer` gives: the names that are documented, and no more work than needed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gofer
from servers.web import Web

ROOT = Path(__file__).resolve().parents[1]

# What a program that imports gofer need not wait for. Each is imported where it is first needed.
NOT_IMPORTED = (
    "argparse asyncio brotli certifi charset_normalizer dataclasses email http.client "
    "http.cookiejar httpx idna inspect logging publicsuffixlist requests truststore urllib.request"
).split()


def documented_names() -> set[str]:
    """The first column of the table of public names."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    part = page.partition("<!-- begin names -->")[2].partition("<!-- end names -->")[0]
    return set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))


def test_all_is_what_is_documented():
    """`gofer.__all__` and the table of public names are the same."""
    assert documented_names() == set(gofer.__all__)


def test_every_name_is_there():
    """Each public name can be had, by attribute and by `from gofer import *`."""
    namespace: dict[str, object] = {}
    exec("from gofer import *", namespace)

    for name in gofer.__all__:
        assert getattr(gofer, name) is namespace[name]
        assert name in dir(gofer)


def test_an_unknown_name_is_an_attribute_error():
    """A name that does not exist is told like that of any module."""
    with pytest.raises(AttributeError, match="module 'gofer' has no attribute 'nothing'"):
        gofer.nothing  # noqa: B018


def test_type_checkers_are_shown_every_name():
    """What stands under TYPE_CHECKING is what is bound lazily, each name from the same module."""
    lazy = {(f"gofer.{home}", name, name) for home, names in gofer._HOMES.items() for name in names}
    lazy |= {("gofer", name, name) for name in gofer._MODULES if name != "async"}  # a keyword
    tree = ast.parse(Path(gofer.__file__).read_text(encoding="utf-8"))
    shown = [
        (node.module, alias.name, alias.asname)
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]

    assert lazy == set(shown)
    assert len(lazy) == len(shown)


def test_type_checkers_are_shown_every_face():
    """A module that a finder binds has a stub, which says where it really is."""
    stubs = {
        path.stem: path.read_text(encoding="utf-8")
        for path in Path(gofer.__file__).parent.glob("*.pyi")
    }

    assert stubs == {
        name: f"from gofer.dropin.{name} import *\n" for name in gofer._FACES if name != "async"
    }


def test_version_is_one():
    """The version of the package is the one that is sent as User-Agent."""
    from gofer.config import VERSION

    assert gofer.__version__ == VERSION


def modules_after(program: str) -> set[str]:
    """The modules that a fresh interpreter imports for `program`."""
    script = (
        f"import sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\nbefore = set(sys.modules)\n"
        f"{program}\nprint(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    return set(done.stdout.split())


def test_import_is_cheap():
    """`import gofer` imports none of the slow modules, nor any room of gofer but its own."""
    imported = modules_after("import gofer")

    assert set() == imported & {*NOT_IMPORTED, "socket", "ssl"}
    assert {"gofer"} == {name for name in imported if name.split(".")[0] == "gofer"}


def test_the_first_request_is_cheap(web: Web):
    """Nor does a plain GET over http."""
    imported = modules_after(f"import gofer\ngofer.get({web.url + '/json'!r}).json()")

    assert set() == imported & {*NOT_IMPORTED, "ssl"}
