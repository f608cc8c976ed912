"""Names that lead nowhere, and clocks that jump (rows 125 to 128)."""

import socket
import time
from typing import Any

import pytest

import gofer
from faults.asking import HEAD, NEXT, PATIENCE, session_for
from gofer.exceptions import ConnectionRefused, ConnectTimeout, NameResolutionError
from servers.raw import Peer, always, black_hole, refused_port, serve


def resolver(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[bytes]:
    """Let the system's resolver call `answer(name, port)`; the names that were looked up."""
    asked: list[bytes] = []

    def getaddrinfo(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return answer(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def at(port: int, address: str = "127.0.0.1") -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.mark.only_in("blocking", "hub", "asyncio", "uvloop")
def test_row_125_no_such_name(monkeypatch: pytest.MonkeyPatch):
    """An error at once that names it; no connection error, no timeout, and nothing is kept."""

    def answer(host: Any, port: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    asked = resolver(monkeypatch, answer)
    with session_for() as session:
        with pytest.raises(NameResolutionError, match=r"nowhere\.test") as caught:
            session.get("http://nowhere.test/")

        assert (0, 0, 0) == session.network.pool.counts
    assert not isinstance(caught.value, gofer.Timeout)
    assert isinstance(caught.value, gofer.ConnectionError)
    assert 1 == len(asked)


@pytest.mark.only_in("blocking", "hub", "asyncio", "uvloop")
def test_row_125_a_passing_failure_is_tried_again_if_asked(monkeypatch: pytest.MonkeyPatch):
    """With `max_retries` a look-up that failed is made once more."""
    answers = [socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), None]

    def answer(host: Any, port: Any) -> Any:
        error = answers.pop(0)
        if error is not None:
            raise error
        return at(port)

    resolver(monkeypatch, answer)
    with serve(always(NEXT)) as server, session_for(config={"max_retries": 1}) as session:
        assert b"next" == session.get(f"http://name.test:{server.port}/").content


@pytest.mark.only_in("blocking", "hub")
@pytest.mark.parametrize("limit", [{"timeout": PATIENCE}, {"deadline": PATIENCE}])
def test_row_125_a_resolver_that_stalls(limit: dict[str, float], monkeypatch: pytest.MonkeyPatch):
    """The time for connecting, and that of the whole call, cover it."""
    import threading

    over = threading.Event()

    def answer(host: Any, port: Any) -> Any:
        over.wait(20)
        return at(port)

    resolver(monkeypatch, answer)
    try:
        with gofer.Session() as session:
            with pytest.raises(gofer.Timeout, match="resolving|deadline"):
                session.get("http://slow.test/", **limit)

            assert (0, 0, 0) == session.network.pool.counts
    finally:
        over.set()


def addresses(monkeypatch: pytest.MonkeyPatch, world: Any, *ports: int) -> None:
    async def resolve(self: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        return [(socket.AF_INET, ("127.0.0.1", one)) for one in ports]

    monkeypatch.setattr(type(world), "resolve", resolve)


def test_row_126_the_first_address_is_dead(monkeypatch: pytest.MonkeyPatch, world: Any):
    """Refused or swallowed: the second is used."""
    with serve(always(NEXT)) as server, black_hole() as hole, session_for(timeout=5) as session:
        for dead in (refused_port(), hole):
            addresses(monkeypatch, world, dead, server.port)
            assert b"next" == session.get(f"http://dead{dead}.test/").content


def test_row_126_every_address_is_dead(monkeypatch: pytest.MonkeyPatch, world: Any):
    """The error names each of them."""
    ports = [refused_port(), refused_port()]
    addresses(monkeypatch, world, *ports)
    with session_for() as session:
        with pytest.raises(ConnectionRefused) as caught:
            session.get("http://dead.test/")
    for port in ports:
        assert f"127.0.0.1:{port}" in str(caught.value)


def test_row_126_every_address_is_a_black_hole(monkeypatch: pytest.MonkeyPatch, world: Any):
    """The time for connecting is that for all of them, and the error names each."""
    with black_hole() as one, black_hole() as two, session_for() as session:
        addresses(monkeypatch, world, one, two)
        with pytest.raises(ConnectTimeout) as caught:
            session.get("http://dead.test/")
    for port in (one, two):
        assert f"; 127.0.0.1:{port}: no answer" in str(caught.value)


def test_row_127_addresses_can_be_refused(monkeypatch: pytest.MonkeyPatch, world: Any):
    """A resolver of one's own sees every address before it is connected to, on every hop."""

    class Refused(Exception):
        """The caller's own."""

    async def resolve(self: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        if host == "private.test":
            raise Refused
        return [(socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(type(world), "resolve", resolve)
    away = (
        HEAD.replace(b"200 OK", b"302 Found")
        + b"Content-Length: 0\r\nLocation: http://private.test:"
    )
    with serve(lambda peer: answer_once(peer, away + b"%d/\r\n\r\n" % peer.server.port)) as server:
        with session_for() as session, pytest.raises(Refused):
            session.get(f"http://public.test:{server.port}/")

        assert 1 == len(server.requests)


def answer_once(peer: Peer, answer: bytes) -> None:
    peer.receive_request()
    peer.send(answer)


@pytest.mark.parametrize("days", [-400, 400])
def test_row_128_the_wall_clock_jumps(days: int, monkeypatch: pytest.MonkeyPatch):
    """Limits of time are kept by a clock that does not."""
    real = time.time

    def script(peer: Peer) -> None:
        peer.receive_request()
        monkeypatch.setattr(time, "time", lambda: real() + days * 86400)
        peer.wait_closed()

    with serve(script) as server, session_for() as session:
        started = time.monotonic()
        with pytest.raises(gofer.ReadTimeout):
            session.get(server.url)

        assert time.monotonic() - started < 10  # seconds; it would be days
