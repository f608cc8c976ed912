"""The two figures that repeat: system calls and user-space instructions of one request.

Each client runs twice under a counting tool, for a few requests and for some more; the difference
is theirs alone, for start-up cancels out. Instructions come from `perf stat` where the processor
lets it count, else from valgrind (cachegrind counts the same instructions as callgrind, faster).
Neither figure minds a busy machine, so two clients are counted at a time.
"""

import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from children import Child, ClientFailed
from tables import Report, Table, complain, factor, figure

__all__ = ["Counts", "count_exactly", "exact_report"]


class Counts(NamedTuple):
    """Of one request; None where the tool is missing."""

    system_calls: float | None
    instructions: float | None


ABSENT = Counts(None, None)


class Tool(NamedTuple):
    """A command to run a client under, and where in its log the total stands."""

    command: tuple[str, ...]  # the log's path comes behind
    total: re.Pattern[str]
    few: int  # requests of the first run
    more: int  # and of the second


STRACE = Tool(
    ("strace", "-f", "-c", "-o"),
    re.compile(r"^100\.00\s+\S+\s+\S+\s+(\d+)\s.*total$", re.MULTILINE),
    30,
    430,
)
PERF = Tool(
    ("perf", "stat", "-e", "instructions:u", "-x", ",", "-o"),
    re.compile(r"^(\d+),.*instructions:u", re.MULTILINE),
    100,
    1100,
)
CACHEGRIND = Tool(
    ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
     "--log-file"),
    re.compile(r"I\s+refs:\s+([\d,]+)"),
    30,
    130,
)  # fmt: skip


def count_exactly(clients: list[str], url: str, trust: str | None = None) -> dict[str, Counts]:
    """What one request of each client costs, as far as the tools are there."""
    tools = (_strace(), _instruction_counter())

    def counts(client: str) -> Counts:
        try:
            Child(client, url, trust).quit()  # whatever is not compiled yet is now
        except ClientFailed as error:
            complain(str(error))
            return ABSENT
        return Counts(*(tool and _difference(tool, client, url, trust) for tool in tools))

    with ThreadPoolExecutor(max_workers=2) as two:
        return dict(zip(clients, two.map(counts, clients), strict=True))


def exact_report(plain: dict[str, Counts], tls: dict[str, Counts]) -> Report:
    """A table of what was counted."""
    columns = ["client"]
    for what in ("", ", TLS"):
        columns += [f"system calls{what}", f"instructions{what}", f"/ raw{what}", f"gofer ×{what}"]
    rows = []
    for client in dict.fromkeys([*plain, *tls]):
        row = [client]
        for counts in (plain, tls):
            count = counts.get(client, ABSENT)
            row += [
                figure(count.system_calls, 1),
                figure(count.instructions),
                factor(_ratio(count, counts.get("raw", ABSENT))),
                factor(_ratio(count, counts.get("gofer", ABSENT))),
            ]
        rows.append(row)
    title = "One keep-alive GET in figures that repeat: system calls, user-space instructions"
    return Report([Table("exact", title, columns, rows)], [])


def _ratio(count: Counts, base: Counts) -> float | None:
    if count.instructions is None or not base.instructions:
        return None
    return count.instructions / base.instructions


def _strace() -> Tool | None:
    if shutil.which("strace"):
        return STRACE
    complain("no strace: system calls are not counted (apt-get install strace)")
    return None


def _instruction_counter() -> Tool | None:
    if shutil.which("perf"):
        command = ["perf", "stat", "-e", "instructions:u", "-x", ",", "true"]
        probe = subprocess.run(command, capture_output=True, text=True, check=False)
        if PERF.total.search(probe.stderr):
            return PERF
    if shutil.which("valgrind"):
        return CACHEGRIND
    complain("no valgrind: instructions are not counted (apt-get install valgrind)")
    return None


def _difference(tool: Tool, client: str, url: str, trust: str | None) -> float | None:
    try:
        few = _total(tool, client, url, trust, tool.few)
        more = _total(tool, client, url, trust, tool.more)
    except ClientFailed as error:
        complain(f"under {tool.command[0]}, {error}")
        return None
    if more <= few:
        # Its modules were compiled in the first run: somebody is writing them right now.
        complain(f"under {tool.command[0]}, {client} is not counted: the runs do not compare")
        return None
    return (more - few) / (tool.more - tool.few)


def _total(tool: Tool, client: str, url: str, trust: str | None, count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        # valgrind wants --log-file=PATH, the others -o PATH.
        *command, last = tool.command
        under = (*command, f"{last}={log}") if last.startswith("--") else (*tool.command, str(log))
        child = Child(client, url, trust, under=under)
        child.run(count)
        child.quit()
        found = tool.total.search(log.read_text())
    if not found:
        raise ClientFailed(f"{client} is not counted: no total in the log of {tool.command[0]}")
    return int(found[1].replace(",", ""))
