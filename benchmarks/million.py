"""A run of a million: does `imap` cost more, or keep more, the longer it runs?

    million.py [REQUESTS] [SIZE]      1,000,000 and 64 where nothing is said; takes a minute

Prints memory and CPU of a request at the beginning, after 10,000 requests, and at the end; then
5,000 connections are opened together.
"""

import os
import resource
import subprocess
import sys
from itertools import islice
from pathlib import Path
from time import process_time

from environments import CLIENT_CPU, HERE, clean_environment, compile_source, pinned
from server import Server

WARM = 10_000  # requests, after which memory is to be flat
WINDOW = 10_000  # requests over which a cost is taken
CONNECTIONS = 5_000
DESCRIPTORS = CONNECTIONS + 200


def main(requests: str = "1_000_000", size: str = "64") -> None:
    """The driver: nginx here, gofer in a process and on a processor of its own."""
    compile_source()
    allow_descriptors()
    with Server() as server:
        url, _ = server.small(tls=False)
        for order in (["run", url, requests, size], ["open", url]):
            command = [sys.executable, str(HERE / "million.py"), *order]
            subprocess.run(pinned(command, CLIENT_CPU), env=clean_environment(), check=True)


def run(url: str, requests: str, size: str) -> None:
    """One long run, looked at in windows."""
    import gofer

    count = int(requests)
    responses = gofer.imap((url for _ in range(count)), int(size))

    def window(length: int) -> tuple[float, int]:
        begun = process_time()
        good = sum(response.status_code == 200 for response in islice(responses, length))
        assert good == length, f"{length - good} of {length} failed"
        return (process_time() - begun) / length * 1e6, memory()

    window(WARM)
    first = window(WINDOW)
    middle = count - WARM - 2 * WINDOW
    whole = window(middle)
    last = window(WINDOW)
    print(f"{count:,} requests, {size} at a time")
    for name, (cost, kept) in (
        (f"after {WARM:,}", first), (f"the {middle:,} between", whole), ("the last", last),
    ):  # fmt: skip
        print(f"  {name:22} {cost:6.1f} µs of CPU a request   {kept / 2**20:6.1f} MiB")


def open_many(url: str) -> None:
    """As many connections as there are requests, all open together."""
    import gofer

    allow_descriptors()
    responses = gofer.imap([url] * (2 * CONNECTIONS), CONNECTIONS)
    good = sum(response.status_code == 200 for response in responses)
    print(f"{CONNECTIONS:,} connections: {good:,} of {2 * CONNECTIONS:,} answers were right")


def allow_descriptors() -> None:
    """As many as are needed, for this process and those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * DESCRIPTORS  # nginx has two for some
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def memory() -> int:
    """Bytes in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(*sys.argv[2:])
    elif sys.argv[1:2] == ["open"]:
        open_many(sys.argv[2])
    else:
        main(*sys.argv[1:])
