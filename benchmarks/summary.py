"""The first table of docs/performance.md: gofer beside its nearest peer, Requests and httpx.

It is made from the other tables, by what they say of wall time. Run by itself, this writes it anew
from the tables on the page, without measuring anything.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tables import ABSENT, PAGE, Table, read_between_markers, write_between_markers

__all__ = ["summary"]

COLUMNS = ["", "gofer", "fastest other client", "its time", "Requests", "httpx"]
TITLE = "Wall time on two processors; the others as a multiple of gofer's: above 1, gofer is faster"


class Line(NamedTuple):
    """A row: the table it comes from, what it is called, and who are Requests and httpx there."""

    table: str
    what: str
    requests: str | None
    httpx: str | None


LINES = (
    Line("sequential-two-processors", "GET", "requests", "httpx"),
    Line("tls-two-processors", "GET over TLS", "requests", "httpx"),
    Line("concurrent-64", "64 GETs at a time", "grequests", None),
    Line("concurrent-tls-64", "64 at a time over TLS", "grequests", None),
    Line("http2-two-processors", "GET over HTTP/2", None, "httpx"),
    Line("http2-64", "64 at a time over HTTP/2", None, "httpx, asyncio"),
    Line("http3", "GET over HTTP/3", None, None),
    Line("http3-64", "64 at a time over HTTP/3", None, None),
    Line("download", "200 MB into memory", "requests", "httpx"),
)


def summary(tables: Iterable[Table]) -> Table:
    """One row for each of `LINES` whose table is there."""
    known = {table.name: table for table in tables}
    rows = [_row(line, known[line.table]) for line in LINES if line.table in known]
    return Table("summary", TITLE, COLUMNS, [row for row in rows if row])


def _row(line: Line, table: Table) -> list[str]:
    """Nothing if gofer or every peer was left out."""
    column = next(name for name in table.columns if name in ("wall µs", "wall ms"))
    wall, ratio = table.columns.index(column), table.columns.index("gofer × (wall)")
    times = {row[0]: row[ratio] for row in table.rows if row[ratio] != ABSENT}
    ours = [row for row in table.rows if row[0].startswith("gofer")]
    peers = [name for name in times if not name.startswith(("gofer", "raw"))]
    if not ours or not peers:
        return []
    nearest = min(peers, key=lambda name: float(times[name]))
    return [
        line.what,
        f"{ours[0][wall]} {column.removeprefix('wall ')}",
        nearest,
        times[nearest],
        _of(line.requests, "requests", times),
        _of(line.httpx, "httpx", times),
    ]


def _of(name: str | None, expected: str, times: dict[str, str]) -> str:
    """A peer's figure, with its name where that is not the expected one."""
    if name is None or name not in times:
        return ABSENT
    return times[name] if name.startswith(expected) else f"{times[name]} ({name})"


def current() -> Table:
    """By the tables on the page."""
    found = [read_between_markers(PAGE, line.table) for line in LINES]
    return summary(table for table in found if table is not None)


def main() -> None:
    write_between_markers(PAGE, "summary", current().markdown())


if __name__ == "__main__":
    main()
