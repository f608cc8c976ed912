"""Names are remembered for a while, and looked up once for all who want them at once."""

import asyncio
import socket
import threading
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionError, NameResolutionError
from servers.raw import always, refused_port, response, serve
from servers.web import Web
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

ALONE = {"keep_alive": False}  # every request has its own connection


class Asked:
    """What was looked up, in the place of the system."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.addresses = ["127.0.0.1"]
        self.error: OSError | None = None

    async def resolve(self, _: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        self.names.append(host)
        if self.error is not None:
            raise self.error
        return [(socket.AF_INET, (address, port)) for address in self.addresses]


@pytest.fixture
def asked(world: Any, monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()

    async def resolve(runtime: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        return await asked.resolve(runtime, host, port, deadline)

    monkeypatch.setattr(type(world), "resolve", resolve)
    return asked


def test_a_name_is_remembered(web: Web, asked: Asked) -> None:
    with gofer.Session(config=ALONE) as session:
        for _ in range(3):
            assert session.get(f"http://a.test:{web.port}/get").ok
        assert session.get(f"http://b.test:{web.port}/get").ok
    assert asked.names == ["a.test", "b.test"]
    assert web.accepted == 4


def test_for_no_longer_than_it_is_said(web: Web, asked: Asked) -> None:
    config = {**ALONE, "resolve_seconds": 0.0001}
    with gofer.Session(config=config) as session:
        for _ in range(3):
            assert session.get(f"http://a.test:{web.port}/get").ok
    assert asked.names == ["a.test"] * 3


def test_or_not_at_all(web: Web, asked: Asked) -> None:
    with gofer.Session(config={**ALONE, "resolve_seconds": 0}) as session:
        for _ in range(3):
            assert session.get(f"http://a.test:{web.port}/get").ok
    assert asked.names == ["a.test"] * 3


def test_where_nobody_is_the_name_is_asked_for_again(asked: Asked) -> None:
    with serve(always(response(b"hello"))) as server, gofer.Session(config=ALONE) as session:
        url = f"http://a.test:{server.port}/"
        assert session.get(url).ok
        asked.addresses = ["127.0.0.2"]  # it has moved; nobody is at the old place
        server.stop()
        with pytest.raises(ConnectionError):
            session.get(url)
        with pytest.raises(ConnectionError):
            session.get(url)
    assert asked.names == ["a.test", "a.test"]


def test_so_is_the_name_that_another_stands_for(web: Web, asked: Asked) -> None:
    """Whatever was looked up on the way, by whoever's word."""
    for resolve in ({"a.test": "b.test"}, lambda host, port: "b.test"):
        with gofer.Session(config=ALONE, resolve=resolve) as session:
            asked.names.clear()
            asked.addresses = ["127.0.0.2"]  # nobody is there
            url = f"http://a.test:{web.port}/get"
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    session.get(url)
            asked.addresses = ["127.0.0.1"]
            for _ in range(2):
                assert session.get(url).ok
        assert asked.names == ["b.test"] * 3


def test_what_is_not_there_is_asked_for_again(web: Web, asked: Asked) -> None:
    asked.error = socket.gaierror(socket.EAI_NONAME, "no such name")
    with gofer.Session(config=ALONE) as session:
        for _ in range(2):
            with pytest.raises(NameResolutionError, match="no such name"):
                session.get(f"http://a.test:{web.port}/get")
        asked.error = None
        assert session.get(f"http://a.test:{web.port}/get").ok
    assert asked.names == ["a.test"] * 3


def test_the_callers_own_resolver_is_always_asked(web: Web) -> None:
    """It may have become of another mind."""
    calls: list[str] = []

    def resolve(host: str, port: int) -> str:
        calls.append(host)
        return "127.0.0.1"

    with gofer.Session(config=ALONE, resolve=resolve) as session:
        for _ in range(3):
            assert session.get(f"http://a.test:{web.port}/get").ok
    assert calls == ["a.test"] * 3


@pytest.mark.only_in("blocking")
def test_many_at_once_ask_once(web: Web, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads; tasks; and if it fails, it has failed for all of them."""
    several = threading.Barrier(2)
    looked_up: list[Any] = []
    from gofer.runtime import names

    def getaddrinfo(name: bytes, port: int, **_: Any) -> list[Any]:
        looked_up.append(name)
        several.wait(5)
        if name == b"missing.test":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(names.socket, "getaddrinfo", getaddrinfo)

    async def main(host: str) -> list[Any]:
        async with gofer.AsyncSession(config=ALONE) as session:
            calls = [
                asyncio.ensure_future(session.get(f"http://{host}:{web.port}/get"))
                for _ in range(10)
            ]
            asking = session.network.names._remembered._asking
            while sum(map(len, asking.values())) < 9:  # the others wait for the first
                await asyncio.sleep(0)
            await asyncio.to_thread(several.wait, 5)
            return await asyncio.gather(*calls, return_exceptions=True)

    assert all(answer.ok for answer in asyncio.run(main("a.test")))
    assert looked_up == [b"a.test"]
    answers = asyncio.run(main("missing.test"))
    assert {type(answer) for answer in answers} == {NameResolutionError}
    assert looked_up == [b"a.test", b"missing.test"]


def test_who_asks_for_all_may_give_up(web: Web, asked: Asked, world: Any) -> None:
    """Then another does."""
    port = refused_port()
    asked.addresses = []
    with gofer.Session(config=ALONE) as session:
        with pytest.raises(NameResolutionError):
            session.get(f"http://a.test:{port}/")
        asked.addresses = ["127.0.0.1"]
        assert session.get(f"http://a.test:{web.port}/get").ok


def link_local() -> tuple[str, str] | None:
    """An address of this machine that needs a zone, and the zone."""
    try:
        with open("/proc/net/if_inet6") as file:
            rows = [line.split() for line in file]
    except OSError:
        return None
    for digits, _, _, _, _, name in rows:
        if digits.startswith("fe80"):
            return ":".join(digits[i : i + 4] for i in range(0, 32, 4)), name
    return None


def test_a_zone_says_which_interface(session: gofer.Session) -> None:
    """RFC 6874: it is for connecting, and sent to nobody."""
    found = link_local()
    if found is None:
        pytest.skip("no link-local address here")
    address, zone = found
    heads: list[bytes] = []

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            heads.append(connection.recv(65536))
            connection.sendall(response(b"hello"))

    with socket.socket(socket.AF_INET6) as server:
        server.bind((address, 0, 0, socket.if_nametoindex(zone)))
        server.listen()
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        url = f"http://[{address}%25{zone}]:{server.getsockname()[1]}/"
        assert session.get(url, headers={"Connection": "close"}).text == "hello"
        thread.join()
    assert heads[0].startswith(b"GET / HTTP/1.1\r\n")
    assert zone.encode() not in heads[0]
