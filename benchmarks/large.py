"""Large content: 200 MB into memory, a 200 MB file up, and streams of 2 GB and their memory."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from children import Child, ClientFailed, Cost, start_clients
from environments import SERVER_CPU, clean_environment, pinned
from rounds import Plan, Rounds, Work, interleave
from server import DOCUMENT, LARGE, STREAM, Server
from tables import Report, Table, Target, factor, figure

__all__ = ["large", "once"]

MIB = 2**20

COLUMNS = [
    "client", "wall ms", "CPU ms", "wall / {base}", "CPU / {base}", "gofer × (wall)",
    "gofer × (CPU)", "peak MiB above start",
]  # fmt: skip
STREAM_COLUMNS = [
    "client", "down s", "down CPU s", "down MiB above start", "up s", "up CPU s",
    "up MiB above start",
]  # fmt: skip


def large(
    clients: list[str], server: Server, plan: Plan, *, cpu: int | None, stream: int = STREAM
) -> Report:
    """All of it, clients on processor `cpu`. A `stream` of less than 2 GB is for a quick look."""
    file, tiny, flow = (server.files / name for name in ("large", "tiny", "stream"))
    flow.touch()
    os.truncate(flow, stream)
    for path in (file, flow):
        _read(path)
    small, _ = server.small()
    files = start_clients(clients, small, document=DOCUMENT)
    for child in files.values():
        child.quit()

    def works(function: str, size: int, *arguments: str) -> dict[str, Work]:
        return {
            client: once(client, small, cpu, size, function, *arguments)
            for client, child in files.items()
            if function in child.calls
        }

    rounds, single = plan._replace(turn_seconds=0), Plan(1, 0)
    with _sink() as sink:
        down = interleave(works("download", LARGE, f"{server.http}/large"), rounds)
        uploads = works("upload", LARGE, f"{sink}/large", str(file))
        if shutil.which("curl"):
            uploads["curl"] = _curl(f"{sink}/large", str(file), str(tiny), cpu)
        up = interleave(uploads, rounds)
        flow_down = interleave(works("stream_down", stream, f"{server.http}/stream"), single)
        flow_up = interleave(works("stream_up", stream, f"{sink}/stream", str(stream)), single)
    return Report(
        [
            _table("download", "200 MB into memory", down, "raw"),
            _table("upload", "A file of 200 MB uploaded (curl: without its start)", up, "curl"),
            _stream_table(flow_down, flow_up, stream),
        ],
        [
            *(
                Target(f"200 MB down: {what}, gofer / raw", ratio, 1.1, True)
                for what in ("wall", "cpu")
                for ratio in [down.ratio("gofer", "raw", what)]
            ),
            Target("200 MB up: cpu, gofer / curl", up.ratio("gofer", "curl", "cpu"), 1.0, True),
            Target("stream down: MiB above start", _mib(flow_down, "gofer"), 40, True),
            Target("stream up: MiB above start", _mib(flow_up, "gofer"), 40, True),
        ],
    )


def once(
    client: str,
    small: str,
    cpu: int | None,
    size: int,
    function: str,
    *arguments: str,
    trust: str | None = None,
) -> Work:
    """One call in a new process, for a process that did it before has its memory at hand."""

    def work(_: int) -> Cost:
        child = Child(client, small, trust, cpu=cpu)
        cost, moved = child.call(function, *arguments)
        child.quit()
        if moved != size:
            raise ClientFailed(f"{client} is left out: {function} moved {moved} bytes of {size}")
        return cost

    return work


def _read(path: Path) -> None:
    """Bring a file into the page cache, for nobody shall pay for the disk."""
    piece = bytearray(MIB)
    with path.open("rb", buffering=0) as file:
        while file.readinto(piece):
            pass


def _curl(url: str, file: str, tiny: str, cpu: int | None) -> Work:
    """The command line's curl; what it takes for one byte is taken off."""

    def seconds(path: str) -> tuple[float, float]:
        command = ["curl", "-sS", "-H", "Expect:", "-o", os.devnull, "-T", path, url]
        started = time.perf_counter()
        process = subprocess.Popen(pinned(command, cpu), env=clean_environment())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise ClientFailed(f"curl is left out: exit code {process.returncode}")
        return time.perf_counter() - started, usage.ru_utime + usage.ru_stime

    def work(_: int) -> Cost:
        (wall, cpu_seconds), (wall_tiny, cpu_tiny) = seconds(file), seconds(tiny)
        return Cost(wall - wall_tiny, cpu_seconds - cpu_tiny, 0)

    return work


@contextmanager
def _sink() -> Iterator[str]:
    """`sink.py` in a process of its own; its URL up to the path."""
    command = [sys.executable, str(Path(__file__).parent / "sink.py")]
    process = subprocess.Popen(pinned(command, SERVER_CPU), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate()


def _table(name: str, title: str, rounds: Rounds, base: str) -> Table:
    rows = []
    for client in rounds.clients:
        cost = rounds.typical(client)
        row = [client, figure(cost.wall * 1e3), figure(cost.cpu * 1e3)]
        row += [factor(rounds.ratio(client, base, what)) for what in ("wall", "cpu")]
        row += [factor(rounds.ratio(client, "gofer", what)) for what in ("wall", "cpu")]
        row.append(figure(cost.memory / MIB if cost.memory else None))
        rows.append(row)
    return Table(name, title, [column.format(base=base) for column in COLUMNS], rows)


def _stream_table(down: Rounds, up: Rounds, size: int) -> Table:
    rows = []
    for client in dict.fromkeys([*down.clients, *up.clients]):
        row = [client]
        for rounds in (down, up):
            cost = rounds.typical(client) if client in rounds.clients else None
            row.append(figure(cost and cost.wall, 2))
            row.append(figure(cost and cost.cpu, 2))
            row.append(figure(_mib(rounds, client), 1))
        rows.append(row)
    title = f"A stream of {size // MIB:,} MiB, in pieces of 1 MiB (once; what counts is memory)"
    return Table("streams", title, STREAM_COLUMNS, rows)


def _mib(rounds: Rounds, client: str) -> float | None:
    return rounds.typical(client).memory / MIB if client in rounds.clients else None
