"""`make bench`: gofer beside a raw socket and beside other clients, on this machine.

    run.py                          everything; writes the tables of docs/performance.md
    run.py --quick                  a first look, under 90 seconds; prints only
    run.py --only sequential,exact  some of: sequential, tls, concurrent, start, large, exact;
                            prints only
    run.py --clients raw,gofer,requests --rounds 60

README.md beside this file says what is measured, and how.
"""

import argparse
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from at_a_time import concurrent
from environments import (
    CLIENT_CPU,
    SERVER_CPU,
    compile_source,
    make_environments,
    version_of,
)
from exact import Counts, count_exactly, exact_report
from large import large
from rounds import Plan
from sequential import sequential
from server import LARGE, STREAM, Server
from start import start
from summary import summary
from tables import PAGE, Report, Table, Target, complain, write_between_markers

from protocols import http2, http3

SECTIONS = ["exact", "sequential", "tls", "concurrent", "start", "large", "http2", "http3"]

# The order of the tables' rows. A client is a file in clients/ and a name here.
CLIENTS = [
    "raw", "gofer", "pyreqwest", "primp", "httpr", "wreq", "pycurl", "http_client", "aiohttp",
    "urllib3", "httpx", "httpx2", "niquests", "requests",
]  # fmt: skip
QUICK = ["raw", "gofer", "pyreqwest", "primp", "pycurl", "httpx", "requests"]

PICTURE = PAGE.parent / "pictures" / "many.svg"

# Both say something. With two, every answer wakes a sleeping processor, as one from a network
# does; with one, nothing sleeps, and what is left is the work of client, kernel and server.
PLACES = {"two processors": CLIENT_CPU, "one processor": SERVER_CPU}
if CLIENT_CPU is None:
    PLACES = {"unpinned": None}


def main() -> None:
    options = _options()
    began = time.monotonic()
    make_environments(options.clients)
    compile_source()
    tables, targets = [], []
    with Server() as server:
        for report in measure(server, options):
            for table in report.tables:
                print(table.text(), end="\n\n", flush=True)
            tables.extend(report.tables)
            targets.extend(report.targets)
    if targets:
        tables.append(_target_table(targets))
        print(tables[-1].text(), end="\n\n")
    overview = summary(tables)
    if overview.rows:
        tables.append(overview)
        print(overview.text(), end="\n\n")
    print(f"{_machine()}\n{time.monotonic() - began:.0f} seconds, load {os.getloadavg()[0]:.1f}")
    if options.write:
        _write_page(tables)


def measure(server: Server, options: argparse.Namespace) -> Iterator[Report]:
    """The reports of the sections that are asked for, each as soon as it is there."""
    clients, plan, only = options.clients, options.plan, options.only
    counts: dict[bool, dict[str, Counts]] = {False: {}, True: {}}  # without and with TLS
    if "exact" in only:
        # Valgrind needs seconds to start a client, so a quick look is at the first three.
        for tls in [False] if options.quick else [False, True]:
            few = clients[:3] if options.quick else clients
            counts[tls] = count_exactly(few, *server.small(tls=tls))
        yield exact_report(counts[False], counts[True])
    versions = {client: version_of(client) for client in clients}
    for section, tls in ("sequential", False), ("tls", True):
        for place, cpu in PLACES.items() if section in only else ():
            yield sequential(
                clients, versions, server, plan, tls=tls, place=place, cpu=cpu, counts=counts[tls]
            )
    if "concurrent" in only:
        few = plan.fewer_rounds(3)
        report, picture = concurrent(server, few, cpu=CLIENT_CPU, is_short=options.quick)
        if options.write:
            PICTURE.write_text(picture, encoding="utf-8")
        yield report
    if "start" in only:
        yield start(clients, server, plan.fewer_rounds(2), places=PLACES)
    if "large" in only:
        size = LARGE if options.quick else STREAM
        yield large(clients, server, plan.fewer_rounds(4), cpu=CLIENT_CPU, stream=size)
    if "http2" in only:
        yield http2(server, plan, places=PLACES, cpu=CLIENT_CPU)
    if "http3" in only:
        yield http3(server, plan, cpu=CLIENT_CPU)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few clients, few rounds")
    parser.add_argument("--only", type=_names(SECTIONS), metavar="SECTIONS")
    parser.add_argument("--clients", type=_names(CLIENTS), metavar="NAMES")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md anyway")
    options = parser.parse_args()
    # What is on the page was measured in one run; a part of it would not be.
    options.write |= not (options.quick or options.only or options.clients or options.rounds)
    options.only = options.only or SECTIONS
    options.clients = options.clients or (QUICK if options.quick else CLIENTS)
    rounds = options.rounds or (6 if options.quick else 24)
    options.plan = Plan(rounds, turn_seconds=0.03 if options.quick else 0.06)
    return options


def _names(known: list[str]):  # type: ignore[no-untyped-def]
    """A comma-separated list of some of `known`."""

    def parse(value: str) -> list[str]:
        names = value.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return [name for name in known if name in names]

    return parse


def _target_table(targets: list[Target]) -> Table:
    columns = ["target", "promised", "measured", "verdict"]
    return Table("targets", "Targets", columns, [target.cells() for target in targets])


def _machine() -> str:
    model = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    return (
        f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def _write_page(tables: list[Table]) -> None:
    machine = Table("machine", _machine(), [], [])
    for table in (machine, *tables):
        content = table.markdown() if table.columns else table.title
        if not write_between_markers(PAGE, table.name, content):
            complain(f"{PAGE.name} has no place for {table.name}: its markers are missing")


if __name__ == "__main__":
    main()
