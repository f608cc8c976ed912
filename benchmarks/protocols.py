"""HTTP/2 and HTTP/3: one after another, 64 at a time, and 100 MB."""

from functools import partial

from children import Child, ClientFailed, Cost, start_clients
from large import once
from rounds import Plan, Rounds, Work, interleave
from server import HUNDRED, Caddy, Server, document_over
from tables import Report, Table, Target, complain, factor, figure

__all__ = ["http2", "http3"]

SIZE = 64  # at a time
LONGER = 5  # as in `at_a_time`

SEQUENTIAL = ["gofer", "pyreqwest", "primp", "httpr", "wreq", "pycurl", "httpx", "niquests"]
MANY = [
    "gofer", "gofer_async+uvloop", "gofer_async", "pycurl", "wreq_async+uvloop",
    "pyreqwest_async+uvloop", "httpx_async", "niquests",
]  # fmt: skip
THIRD = ["gofer_http3", "niquests_http3"]
NAMES = {
    "gofer": "gofer imap",
    "gofer_async+uvloop": "gofer AsyncSession, uvloop",
    "gofer_async": "gofer AsyncSession, asyncio",
    "pycurl": "pycurl, multi",
    "wreq_async+uvloop": "wreq, uvloop",
    "pyreqwest_async+uvloop": "pyreqwest, uvloop",
    "httpx_async": "httpx, asyncio",
    "niquests": "niquests, multiplexed",
}

COLUMNS = ["client", "wall {unit}", "CPU {unit}", "gofer × (wall)", "gofer × (CPU)"]


def http2(server: Server, plan: Plan, *, places: dict[str, int | None], cpu: int | None) -> Report:
    """All of it over HTTP/2 and TLS, nginx on one processor."""
    url, document = f"{server.http2}/spoken", document_over("HTTP/2.0")
    report = Report([], [])
    for place, where in places.items():
        rounds = _sequential(SEQUENTIAL, url, server.trust, plan, where, document)
        report.tables.append(
            _table(
                f"http2-{place.replace(' ', '-')}", f"Keep-alive GET over HTTP/2, {place}", rounds
            )
        )
        report.targets.extend(_faster(rounds, f"HTTP/2, {place}", SEQUENTIAL[1:], 1.0))
    rounds = _many(MANY, url, server.trust, plan, cpu, document)
    report.tables.append(
        _table("http2-64", "64 at a time over HTTP/2, two processors", rounds, NAMES)
    )
    quick = [name for name in MANY[3:] if not name.startswith(("httpx", "niquests"))]
    report.targets.extend(_faster(rounds, "HTTP/2, 64 at a time", quick, 1.0))
    report.targets.extend(
        _faster(rounds, "HTTP/2, 64 at a time", ["httpx_async", "niquests"], 15.0)
    )
    rounds = _download(SEQUENTIAL, url, f"{server.http2}/hundred", server.trust, plan, cpu)
    report.tables.append(_table("http2-download", "100 MB over HTTP/2, two processors", rounds))
    report.targets.extend(_faster(rounds, "HTTP/2, 100 MB", ["pycurl"], 1.0))
    return report


def http3(server: Server, plan: Plan, *, cpu: int | None) -> Report:
    """The same over HTTP/3, Caddy on one processor. Empty where there is no Caddy."""
    report = Report([], [])
    with Caddy(server) as caddy:
        if caddy is None:
            complain("no Caddy (apt-get install caddy): HTTP/3 is left out")
            return report
        url, document = f"{caddy.url}/spoken", document_over("HTTP/3.0")
        ours = THIRD[0]
        for name, title, rounds in (
            ("http3", "Keep-alive GET over HTTP/3",
             _sequential(THIRD, url, server.trust, plan, cpu, document)),
            ("http3-64", "64 at a time over HTTP/3",
             _many(THIRD, url, server.trust, plan, cpu, document)),
            ("http3-download", "100 MB over HTTP/3",
             _download(THIRD, url, f"{caddy.url}/hundred", server.trust, plan, cpu)),
        ):  # fmt: skip
            report.tables.append(_table(name, f"{title}, two processors", rounds, ours=ours))
            report.targets.extend(_faster(rounds, title, THIRD[1:], 1.0, ours=ours))
    return report


def _sequential(
    clients: list[str], url: str, trust: str, plan: Plan, cpu: int | None, document: object
) -> Rounds:
    children = start_clients(clients, url, trust, cpu=cpu, document=document)
    rounds = interleave({name: child.run for name, child in children.items()}, plan)
    _quit(children)
    return rounds


def _many(
    clients: list[str], url: str, trust: str, plan: Plan, cpu: int | None, document: object
) -> Rounds:
    children = start_clients(clients, url, trust, cpu=cpu, document=document)

    def work(child: Child, count: int) -> Cost:
        return child.many(SIZE, max(count, 4 * SIZE))

    plan = plan.fewer_rounds(3)._replace(turn_seconds=LONGER * plan.turn_seconds)
    rounds = interleave({name: partial(work, child) for name, child in children.items()}, plan)
    _quit(children)
    return rounds


def _download(
    clients: list[str], small: str, url: str, trust: str, plan: Plan, cpu: int | None
) -> Rounds:
    works: dict[str, Work] = {}
    for client in clients:
        try:
            child = Child(client, small, trust, cpu=cpu)
        except ClientFailed as error:
            complain(str(error))
            continue
        child.quit()
        if "download" in child.calls:
            arguments = ("download", url, trust)
            works[client] = once(client, small, cpu, HUNDRED, *arguments, trust=trust)
    return interleave(works, plan.fewer_rounds(4)._replace(turn_seconds=0))


def _quit(children: dict[str, Child]) -> None:
    for child in children.values():
        try:
            child.quit()
        except ClientFailed as error:
            complain(str(error))


def _table(
    name: str, title: str, rounds: Rounds, names: dict[str, str] | None = None, ours: str = "gofer"
) -> Table:
    rows = []
    unit, scale = ("ms", 1e3) if name.endswith("download") else ("µs", 1e6)
    for client in rounds.clients:
        cost = rounds.typical(client)
        rows.append([
            (names or {}).get(client, client.replace("_http3", "")),
            figure(cost.wall * scale, 1),
            figure(cost.cpu * scale, 1),
            factor(rounds.ratio(client, ours, "wall")),
            factor(rounds.ratio(client, ours, "cpu")),
        ])  # fmt: skip
    return Table(name, title, [column.format(unit=unit) for column in COLUMNS], rows)


def _faster(
    rounds: Rounds, what: str, peers: list[str], times: float, ours: str = "gofer"
) -> list[Target]:
    """That gofer is so many times as fast as the nearest of `peers`."""
    targets = []
    for measure in ("wall", "cpu"):
        ratios = {peer: rounds.ratio(peer, ours, measure) for peer in peers}
        measured = {peer: ratio for peer, ratio in ratios.items() if ratio is not None}
        nearest = min(measured, key=measured.__getitem__, default=peers[0])
        promise = f"{what}: {measure}, {nearest.replace('_http3', '')} / gofer"
        targets.append(Target(promise, measured.get(nearest), times, False))
    return targets
