"""Many at a time: throughput against how many are open, `imap` and AsyncSession beside peers."""

from functools import partial

from children import Child, ClientFailed, Cost, start_clients
from picture import Line, draw
from rounds import Plan, Rounds, interleave
from server import DOCUMENT, Server
from tables import Report, Table, Target, complain, factor, figure

__all__ = ["concurrent"]

OURS, OURS_UVLOOP, OURS_ASYNCIO = "gofer", "gofer_async+uvloop", "gofer_async"
RUST = ("wreq_async+uvloop", "pyreqwest_async+uvloop")
CLIENTS = [
    OURS, OURS_UVLOOP, OURS_ASYNCIO, "pycurl", *RUST, "aiohttp+uvloop", "aiohttp", "grequests",
]  # fmt: skip
NAMES = {
    OURS: "gofer imap",
    OURS_UVLOOP: "gofer AsyncSession, uvloop",
    OURS_ASYNCIO: "gofer AsyncSession, asyncio",
    "pycurl": "pycurl, multi",
    "wreq_async+uvloop": "wreq, uvloop",
    "pyreqwest_async+uvloop": "pyreqwest, uvloop",
    "aiohttp+uvloop": "aiohttp, uvloop",
    "aiohttp": "aiohttp, asyncio",
    "grequests": "grequests",
}

SIZES = [1, 4, 16, 64, 256, 1000]  # of the picture
LONGER = 5  # times the turn of a single request: opening connections is to be a small part of it

COLUMNS = ["client", "wall µs", "CPU µs", "requests a second", "gofer × (wall)", "gofer × (CPU)"]


def concurrent(
    server: Server, plan: Plan, *, cpu: int | None, is_short: bool
) -> tuple[Report, str]:
    """Measure on processor `cpu`, nginx on another; the picture too, as SVG."""
    plan = plan._replace(turn_seconds=LONGER * plan.turn_seconds)
    tables, targets = [], []
    lines = {client: Line(NAMES[client], client.startswith("gofer")) for client in CLIENTS}
    for tls in (False, True):
        url, trust = server.small(tls=tls)
        children = start_clients(CLIENTS, url, trust, cpu=cpu, document=DOCUMENT)
        for size in [64] if tls or is_short else SIZES:
            rounds = _measure(children, size, plan)
            if not tls:
                for client in rounds.clients:
                    lines[client].points.append((size, 1 / rounds.typical(client).wall))
            if size in (64, 1000):
                tables.append(_table(rounds, size, tls))
                targets += _targets(rounds, size, tls)
        for child in children.values():
            try:
                child.quit()
            except ClientFailed as error:
                complain(str(error))
    drawn = [line for line in lines.values() if line.points]
    return Report(tables, targets), draw(drawn, SIZES)


def _measure(children: dict[str, Child], size: int, plan: Plan) -> Rounds:
    """Every client's turns, none shorter than a few requests on each connection."""
    least = 4 * size

    def work(child: Child, count: int) -> Cost:
        return child.many(size, max(count, least))

    return interleave({name: partial(work, child) for name, child in children.items()}, plan)


def _table(rounds: Rounds, size: int, tls: bool) -> Table:
    rows = []
    for client in rounds.clients:
        cost = rounds.typical(client)
        rows.append([
            NAMES[client],
            figure(cost.wall * 1e6, 1),
            figure(cost.cpu * 1e6, 1),
            figure(1 / cost.wall),
            factor(rounds.ratio(client, OURS, "wall")),
            factor(rounds.ratio(client, OURS, "cpu")),
        ])  # fmt: skip
    where = " over TLS" if tls else ""
    name = f"concurrent{'-tls' if tls else ''}-{size}"
    return Table(name, f"{size:,} at a time{where}, small JSON, two processors", COLUMNS, rows)


def _targets(rounds: Rounds, size: int, tls: bool) -> list[Target]:
    """What issue and README promise of 64 at a time."""
    if size != 64:
        return []
    others = [name for name in CLIENTS if not name.startswith("gofer")]
    if tls:
        promises = [(tuple(others), OURS, 1.0)]
    else:
        promises = [
            (("pycurl", *RUST), OURS, 1.8),
            (("aiohttp",), OURS, 7.0),
            (("grequests",), OURS, 25.0),
            (RUST, OURS_UVLOOP, 1.0),
            (("aiohttp+uvloop",), OURS_UVLOOP, 3.0),
            (("aiohttp",), OURS_ASYNCIO, 2.0),
        ]
    targets = []
    for measure in ("wall", "cpu"):
        for peers, ours, times in promises:
            ratios = {peer: rounds.ratio(peer, ours, measure) for peer in peers}
            measured = {peer: ratio for peer, ratio in ratios.items() if ratio is not None}
            nearest = min(measured, key=measured.__getitem__, default=peers[0])
            what = f"64 at a time{' over TLS' if tls else ''}: {measure}"
            promise = f"{what}, {NAMES[nearest]} / {NAMES[ours]}"
            targets.append(Target(promise, measured.get(nearest), times, False))
    return targets
