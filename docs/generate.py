"""Fill in the parts of the reference that come from the code: python docs/generate.py

A part stands between `<!-- begin name -->` and `<!-- end name -->`. `tests/test_docs.py` fails when
one of them is not what this would write.
"""

import inspect
import re
import sys
from collections.abc import Callable, Container
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import gofer  # noqa: E402  (found through the line above)
from gofer import config, exceptions  # noqa: E402

REFERENCE = ROOT / "docs" / "reference"
PAGES = [REFERENCE / name for name in ("api.md", "config.md", "exceptions.md")]

# What has no docstring of its own
NOT_SAID = {
    "__version__": "The version of gofer.",
    "codes": "Status codes by name: `codes.not_found` is 404.",
    "exceptions": "The module of all [exceptions](exceptions.md), more than are named here.",
    "GoferError": "Another name of `RequestException`.",
}


def public_names() -> str:
    """Every public name and what it is."""
    return table(("name", "what it is"), [(code(name), meaning_of(name)) for name in names()])


def names() -> list[str]:
    """Functions first, then classes, exceptions last."""

    def kind(name: str) -> tuple[int, str]:
        value = getattr(gofer, name)
        is_error = inspect.isclass(value) and issubclass(value, (Exception, Warning))
        return (2 if is_error else 1 if inspect.isclass(value) else 0), name

    return sorted(gofer.__all__, key=kind)


def meaning_of(name: str) -> str:
    if name in NOT_SAID:
        return NOT_SAID[name]
    return first_sentence(inspect.getdoc(getattr(gofer, name)) or "")


def first_sentence(text: str) -> str:
    """The first paragraph on one line, as it stands in a table."""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def settings(of: dict[str, config.Setting], but: Container[str] = ()) -> Callable[[], str]:
    """The config keys of a table, but for some."""
    rows = [
        (code(setting.name), code(default_of(setting)), setting.meaning.replace("|", "\\|"))
        for setting in of.values()
        if setting.name not in but
    ]
    return partial(table, ("key", "default", "meaning"), rows)


def default_of(setting: config.Setting) -> str:
    value = setting.default
    if isinstance(value, int) and value % 1024 == 0 and value > 0:
        return f"{value // 1024} * 1024"
    return repr(value)


def exception_tree() -> str:
    """The tree that the docstring of `gofer.exceptions` draws."""
    doc = inspect.getdoc(exceptions) or ""
    found = re.search(r"^    RequestException.*?(?=^\S)", doc, re.MULTILINE | re.DOTALL)
    assert found is not None
    return f"```text\n{inspect.cleandoc(found[0])}\n```"


def exception_list() -> str:
    """Every exception and warning, and what it means."""
    rows = [
        (code(name), first_sentence(inspect.getdoc(getattr(exceptions, name)) or ""))
        for name in exceptions.__all__
        if name != "GoferError"
    ]
    return table(("exception", "meaning"), rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


PARTS: dict[str, Callable[[], str]] = {
    "names": public_names,
    "arguments": settings(config.ARGUMENTS),
    "requests": settings(config.REQUEST, but=config.ROUTE),
    "route": settings(config.ROUTE),
    "timeouts": settings(config.TIMEOUTS),
    "pool": settings(config.POOL),
    "limits": settings(config.RESPONSE),
    "tree": exception_tree,
    "exceptions": exception_list,
}


def filled(page: Path) -> str:
    """The page with its generated parts as they ought to be."""
    text = page.read_text(encoding="utf-8")
    for name, make in PARTS.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        if found:
            text = f"{before}{begin}{make()}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    for page in PAGES:
        page.write_text(filled(page), encoding="utf-8")


if __name__ == "__main__":
    main()
