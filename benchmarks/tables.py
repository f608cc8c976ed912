"""What is printed, and what is written into docs/performance.md: tables, targets, complaints."""

import sys
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "ABSENT", "PAGE", "Report", "Table", "Target", "complain", "factor", "figure",
    "read_between_markers", "write_between_markers",
]  # fmt: skip

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
ABSENT = "-"


class Table(NamedTuple):
    """A table, and the name of its place in docs/performance.md."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        """For a terminal: the first column to the left, figures to the right."""
        widths = [max(map(len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]

        def line(cells: list[str]) -> str:
            pairs = zip(cells[1:], widths[1:], strict=True)
            padded = [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in pairs)]
            return "  ".join(padded).rstrip()

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.title, "", line(self.columns), rule, *map(line, self.rows)])

    def markdown(self) -> str:
        """The same as a Markdown table."""
        rule = ["---"] + ["---:"] * (len(self.columns) - 1)
        lines = ("| " + " | ".join(cells) + " |" for cells in [self.columns, rule, *self.rows])
        return f"{self.title}\n\n" + "\n".join(lines)


class Target(NamedTuple):
    """Something gofer promises, and what was measured."""

    promise: str
    measured: float | None
    limit: float
    at_most: bool

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        is_met = self.measured <= self.limit if self.at_most else self.measured >= self.limit
        return "met" if is_met else "NOT MET"

    def cells(self) -> list[str]:
        limit = f"{'at most' if self.at_most else 'at least'} {self.limit:g}"
        return [self.promise, limit, figure(self.measured, 2), self.verdict]


class Report(NamedTuple):
    """What one section found."""

    tables: list[Table]
    targets: list[Target]


def figure(value: float | None, digits: int = 0) -> str:
    """`value` with so many digits after the point and its thousands apart."""
    return ABSENT if value is None else f"{value:,.{digits}f}"


def factor(value: float | None) -> str:
    """`value` as a factor: three figures are all that such a measurement gives."""
    if value is None:
        return ABSENT
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def complain(what: str) -> None:
    """Say on stderr what was left out, so that stdout stays a table."""
    print(f"benchmarks: {what}", file=sys.stderr)


def read_between_markers(path: Path, name: str) -> Table | None:
    """The table that stands there, as `markdown` wrote it; None if there is none."""
    _, _, rest = path.read_text().partition(f"<!-- bench:begin {name} -->\n")
    content, found, _ = rest.partition(f"<!-- bench:end {name} -->")
    if not found:
        return None
    title, _, table = content.strip().partition("\n\n")
    columns, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")]
                         for line in table.splitlines())  # fmt: skip
    return Table(name, title, columns, rows)


def write_between_markers(path: Path, name: str, content: str) -> bool:
    """Replace what stands between the markers of `name`; False if `path` has none."""
    begin, end = f"<!-- bench:begin {name} -->", f"<!-- bench:end {name} -->"
    text = path.read_text() if path.exists() else ""
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        return False
    path.write_text(f"{before}{begin}\n{content}\n{end}{after}")
    return True
