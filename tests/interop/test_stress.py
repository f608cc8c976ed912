"""Many at once on one session, for as long as one likes: no wrong answer, and nothing is lost.

`make stress` takes a minute for each; without it they take two seconds.
"""

import asyncio
import contextlib
import hashlib
import os
import random
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionLost, Timeout
from interop.test_servers import SERVERS, session_for
from servers.certificates import Certificates

SECONDS = float(os.environ.get("GOFER_STRESS_SECONDS", "2"))
AT_ONCE = 40

CONTENT = random.Random(1).randbytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).digest()

ROADS = [
    (name, protocol)
    for name in ("nginx", "caddy")
    for protocol in SERVERS[name][2]
    if protocol != "HTTP/1.1"
]


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    kind, path, _ = SERVERS[request.param]
    if path is None:
        pytest.skip(f"NOT TESTED: {request.param} is missing (apt install {request.param})")
    server = kind(tmp_path_factory.mktemp(request.param), certificates)
    Path(server.files / "content").write_bytes(CONTENT)
    yield server
    server.stop()


roads = pytest.mark.parametrize(("server", "protocol"), ROADS, indirect=["server"])
PLAIN = {"Accept-Encoding": "identity"}


@roads
@pytest.mark.timeout(SECONDS + 60)
def test_threads(server: Any, certificates: Certificates, protocol: str) -> None:
    """Small answers, large ones, parts of them, answers that are left, uploads that are refused."""
    end = time.monotonic() + SECONDS
    counts: dict[str, int] = {}
    wrong: list[object] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        dice = random.Random(number)
        while time.monotonic() < end and not wrong:
            kind = dice.choice(["small"] * 8 + ["whole", "part", "part", "left", "refused", "late"])
            try:
                answer(kind, dice)
            except BaseException:
                wrong.append((kind, traceback.format_exc()))
                raise
            with lock:
                counts[kind] = counts.get(kind, 0) + 1

    def answer(kind: str, dice: random.Random) -> None:
        if kind == "small":
            assert session.get(f"{server.url}/hello").text == "hello"
        elif kind == "whole":
            got = session.get(f"{server.url}/content", headers=PLAIN)
            assert hashlib.sha256(got.content).digest() == DIGEST
        elif kind == "part":
            start = dice.randrange(len(CONTENT) - 1000)
            fields = {**PLAIN, "Range": f"bytes={start}-{start + 999}"}
            got = session.get(f"{server.url}/content", headers=fields)
            assert got.content == CONTENT[start : start + 1000]
        elif kind == "left":
            with session.get(f"{server.url}/content", headers=PLAIN, stream=True) as got:
                assert next(got.iter_content(100)) == CONTENT[:100]
        elif kind == "refused":
            sent = b"x" * 10_000 * dice.randrange(1, 50)
            with contextlib.suppress(ConnectionLost):  # what is no GET is not repeated
                assert session.post(f"{server.url}/small", data=sent).status_code == 413
        else:
            with contextlib.suppress(Timeout):
                got = session.get(f"{server.url}/content", headers=PLAIN, deadline=0.002)
                assert hashlib.sha256(got.content).digest() == DIGEST

    with session_for(certificates, protocol) as session:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == [], wrong[0][1]
        assert session.network.pool.counts[1:] == (0, 0)
        assert session.get(f"{server.url}/hello").text == "hello"
    print(protocol, counts)  # noqa: T201


@roads
@pytest.mark.timeout(SECONDS + 60)
def test_tasks_that_are_cancelled(server: Any, certificates: Certificates, protocol: str) -> None:
    """At any moment; the others never notice."""
    counts = {"whole": 0, "cancelled": 0}

    async def main() -> None:
        end = time.monotonic() + SECONDS
        config = {"http2": True, "http3": "prior knowledge" if protocol == "HTTP/3" else False}

        async def fetch() -> None:
            answer = await session.get(f"{server.url}/content", headers=PLAIN)
            assert hashlib.sha256(answer.content).digest() == DIGEST
            counts["whole"] += 1

        async def work(number: int) -> None:
            dice = random.Random(number)
            while time.monotonic() < end:
                if dice.random() < 0.5:
                    await fetch()
                    continue
                try:
                    await asyncio.wait_for(fetch(), dice.random() * 0.2)
                except TimeoutError:
                    counts["cancelled"] += 1

        async with gofer.AsyncSession(verify=certificates.ca_file, config=config) as session:
            await asyncio.gather(*[work(number) for number in range(AT_ONCE)])
            assert session.network.pool.counts[1:] == (0, 0)
            assert (await session.get(f"{server.url}/hello")).text == "hello"

    asyncio.run(main())
    assert counts["whole"]
    print(protocol, counts)  # noqa: T201
