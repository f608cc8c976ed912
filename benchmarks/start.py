"""How much comes before the first answer: a new session, and a new process."""

import os
import subprocess
import time

from children import ClientFailed, Cost, start_clients
from environments import clean_environment, pinned, python_for
from rounds import Plan, Rounds, Work, interleave
from sequential import compare
from server import DOCUMENT, Server
from tables import Report, Table, Target, factor, figure

__all__ = ["start"]

# The shortest program of each, in the words of its own documentation.
PROGRAMS = {
    "gofer": "import gofer; gofer.get({url!r})",
    "requests": "import requests; requests.get({url!r})",
    "httpx": "import httpx; httpx.get({url!r})",
    "httpx2": "import httpx2; httpx2.get({url!r})",
    "niquests": "import niquests; niquests.get({url!r})",
    "urllib3": "import urllib3; urllib3.request('GET', {url!r})",
    "http_client": "import urllib.request; urllib.request.urlopen({url!r}).read()",
    "primp": "import primp; primp.get({url!r})",
    "httpr": "import httpr; httpr.get({url!r})",
    "wreq": "import wreq.blocking; wreq.blocking.get({url!r})",
}

SESSION_COLUMNS = ["client", "wall µs", "CPU µs", "wall / raw", "CPU / raw", "gofer × (CPU)"]
PROGRAM_COLUMNS = ["client", "wall ms", "CPU ms", "CPU / requests", "gofer × (CPU)"]


def start(
    clients: list[str], server: Server, plan: Plan, *, places: dict[str, int | None]
) -> Report:
    """New sessions in all `places`, new processes in the first."""
    url, _ = server.small()
    tables, targets = [], []
    for place, cpu in places.items():
        children = start_clients(clients, url, cpu=cpu, document=DOCUMENT)
        sessions = interleave({name: child.fresh for name, child in children.items()}, plan)
        for child in children.values():
            child.quit()
        tables.append(_session_table(sessions, place))
        targets += compare(sessions, f"new session and one GET, {place}", 1.5, {})
    works = _programs(clients, url, next(iter(places.values())))
    programs = interleave(works, plan._replace(turn_seconds=0))
    tables.append(_program_table(programs))
    ratio = programs.ratio("gofer", "requests", "cpu")
    targets.append(Target("a process that gets once: cpu, gofer / requests", ratio, 0.4, True))
    return Report(tables, targets)


def _programs(clients: list[str], url: str, cpu: int | None) -> dict[str, Work]:
    programs = {name: PROGRAMS[name] for name in clients if name in PROGRAMS}
    return {"raw": _process("raw", "pass", cpu)} | {
        name: _process(name, program.format(url=url), cpu) for name, program in programs.items()
    }


def _process(client: str, program: str, cpu: int | None) -> Work:
    """`python -c program`, from its start to its end."""
    command = pinned([python_for(client), "-c", program], cpu)
    environment = clean_environment()

    def work(count: int) -> Cost:
        wall = cpu_seconds = 0.0
        memory = 0
        for _ in range(count):
            started = time.perf_counter()
            process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            wall += time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise ClientFailed(f"{client} is left out: `{program}` failed")
            cpu_seconds += usage.ru_utime + usage.ru_stime
            memory = usage.ru_maxrss * 1024
        return Cost(wall / count, cpu_seconds / count, memory)

    return work


def _session_table(rounds: Rounds, place: str) -> Table:
    rows = [
        [
            client,
            figure(rounds.typical(client).wall * 1e6),
            figure(rounds.typical(client).cpu * 1e6),
            factor(rounds.ratio(client, "raw", "wall")),
            factor(rounds.ratio(client, "raw", "cpu")),
            factor(rounds.ratio(client, "gofer", "cpu")),
        ]
        for client in rounds.clients
    ]
    name = f"session-{place.replace(' ', '-')}"
    title = f"A new session, one request, closed, {place}"
    return Table(name, title, SESSION_COLUMNS, rows)


def _program_table(rounds: Rounds) -> Table:
    rows = [
        [
            "(python -c pass)" if client == "raw" else client,
            figure(rounds.typical(client).wall * 1e3, 1),
            figure(rounds.typical(client).cpu * 1e3, 1),
            factor(rounds.ratio(client, "requests", "cpu")),
            factor(rounds.ratio(client, "gofer", "cpu")),
        ]
        for client in rounds.clients
    ]
    title = "A new process that imports the client and makes one request"
    return Table("program", title, PROGRAM_COLUMNS, rows)
