"""One GET of a small JSON after another on a warm connection: the hot path of every client."""

from children import start_clients
from exact import ABSENT, Counts
from rounds import Plan, Rounds, interleave
from server import DOCUMENT, Server
from tables import Report, Table, Target, complain, factor, figure

__all__ = ["compare", "sequential"]

NATIVE = ("primp", "httpr", "pyreqwest", "pycurl", "wreq")

# What gofer promises on this road: to be at least so many times as fast as the nearest of these.
FASTER_HTTP: dict[tuple[str, ...], float] = {
    NATIVE: 1.2,
    ("httpx",): 7.0,
    ("requests",): 12.0,
}
FASTER_TLS: dict[tuple[str, ...], float] = {
    (*NATIVE, "http_client", "urllib3", "httpx", "requests"): 1.0
}

COLUMNS = [
    "client", "version", "wall µs", "CPU µs", "wall / raw", "CPU / raw", "gofer × (wall)",
    "gofer × (CPU)", "system calls", "instructions", "peak MiB",
]  # fmt: skip


def sequential(
    clients: list[str],
    versions: dict[str, str],
    server: Server,
    plan: Plan,
    *,
    tls: bool,
    place: str,
    cpu: int | None,
    counts: dict[str, Counts],
) -> Report:
    """Measure all `clients` on processor `cpu`, which the table calls `place`."""
    url, trust = server.small(tls=tls)
    children = start_clients(clients, url, trust, cpu=cpu, document=DOCUMENT)
    before = server.connections()
    rounds = interleave({name: child.run for name, child in children.items()}, plan)
    opened = server.connections() - before - 1  # asking is one of them
    if opened > 0:
        complain(f"{opened} connections were opened anew: some client does not keep its own")
    for child in children.values():
        child.quit()
    what = "GET over TLS" if tls else "GET"
    name = f"{'tls' if tls else 'sequential'}-{place.replace(' ', '-')}"
    title = f"Keep-alive {what} of a small JSON, {place} ({plan.rounds} rounds)"
    rows = [_row(client, versions, rounds, counts) for client in rounds.clients]
    faster = FASTER_TLS if tls else FASTER_HTTP
    floor = None if tls else 1.5
    targets = compare(rounds, f"{what}, {place}", floor, faster)
    return Report([Table(name, title, COLUMNS, rows)], targets)


def compare(
    rounds: Rounds, what: str, floor: float | None, faster: dict[tuple[str, ...], float]
) -> list[Target]:
    """The promises of `what`: at most `floor` times the raw socket, faster than the peers."""
    targets = []
    for measure in ("wall", "cpu"):
        if floor is not None:
            ratio = rounds.ratio("gofer", "raw", measure)
            targets.append(Target(f"{what}: {measure}, gofer / raw", ratio, floor, True))
        for peers, times in faster.items():
            ratios = {peer: rounds.ratio(peer, "gofer", measure) for peer in peers}
            measured = {peer: ratio for peer, ratio in ratios.items() if ratio is not None}
            nearest = min(measured, key=measured.__getitem__, default=peers[0])
            promise = f"{what}: {measure}, {nearest} / gofer"
            targets.append(Target(promise, measured.get(nearest), times, False))
    return targets


def _row(
    client: str, versions: dict[str, str], rounds: Rounds, counts: dict[str, Counts]
) -> list[str]:
    cost = rounds.typical(client)
    count = counts.get(client, ABSENT)
    return [
        client,
        versions[client],
        figure(cost.wall * 1e6, 1),
        figure(cost.cpu * 1e6, 1),
        factor(rounds.ratio(client, "raw", "wall")),
        factor(rounds.ratio(client, "raw", "cpu")),
        factor(rounds.ratio(client, "gofer", "wall")),
        factor(rounds.ratio(client, "gofer", "cpu")),
        figure(count.system_calls, 1),
        figure(count.instructions),
        figure(cost.memory / 2**20),
    ]
