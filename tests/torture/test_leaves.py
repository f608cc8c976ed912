"""Torture: an exchange in which the k-th leaf fails, or is cancelled, for every k there is.

Whatever happens at whichever wait, the error reaches the caller, nothing is left behind, and the
next request is right.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gofer
from servers.certificates import Certificates
from servers.web import Web

LEAVES_OF_A_STREAM = (
    "receive", "receive_into", "receive_several", "send", "send_some", "send_file"
)  # fmt: skip
LEAVES_OF_A_RUNTIME = ("connect", "resolve", "sleep")


class Cancelled(BaseException):
    """What cancelling looks like from inside: an error that nobody may keep."""


class Saboteur:
    """Counts the leaves that are called, and spoils the one that is asked for."""

    def __init__(self, patch: pytest.MonkeyPatch, world: Any) -> None:
        self.calls = 0
        self.target = 0
        self.error: BaseException | None = None
        self._patch = patch
        for name in LEAVES_OF_A_RUNTIME:
            self._spoil(type(world), name)
        self._spoiled: set[type] = set()
        for name in ("connect", "connect_datagrams"):
            self._spoil_streams_of(type(world), name)

    def _spoil_streams_of(self, owner: Any, name: str) -> None:
        connect = getattr(owner, name)

        async def connecting(*arguments: Any, **options: Any) -> Any:
            stream = await connect(*arguments, **options)
            if type(stream) not in self._spoiled:
                self._spoiled.add(type(stream))
                for leaf in LEAVES_OF_A_STREAM:
                    if hasattr(type(stream), leaf):
                        self._spoil(type(stream), leaf)
            return stream

        self._patch.setattr(owner, name, connecting)

    def _spoil(self, owner: Any, name: str) -> None:
        leaf = getattr(owner, name)

        async def spoiled(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.target and self.error is not None:
                raise self.error
            return await leaf(*arguments, **options)

        self._patch.setattr(owner, name, spoiled)

    def at(self, number: int, error: BaseException) -> None:
        self.calls, self.target, self.error = 0, number, error

    @property
    def struck(self) -> bool:
        return self.calls >= self.target


def pieces() -> Iterator[bytes]:
    for _ in range(5):
        yield b"x" * 1000


def talk(session: gofer.Session, url: str) -> None:
    with session.websocket(url + "/websocket?hello=1") as socket:
        socket.send("a")
        socket.receive()
        assert socket.receive() == "a"
        socket.send("!close 1000")
        list(socket)


LARGE = b"x" * 100_000  # so large that the answer begins before all has been sent

EXCHANGES: dict[str, Callable[[gofer.Session, str], Any]] = {
    "get": lambda s, url: s.get(url + "/get").content,
    "chunked content": lambda s, url: s.get(url + "/drip/60").content,
    "iteration": lambda s, url: list(s.get(url + "/drip/60").iter_content(20)),
    "lazy and dropped": lambda s, url: s.get(url + "/drip/60").status_code,
    "redirects": lambda s, url: s.get(url + "/redirect/3").content,
    "upload": lambda s, url: s.post(url + "/post", data=pieces()).content,
    "both ways": lambda s, url: s.post(url + "/echo?first=x", data=iter([LARGE] * 2)).content,
    "digest": lambda s, url: (
        s.get(
            url + "/digest-auth/auth/ann/key", auth=gofer.auth.HTTPDigestAuth("ann", "key")
        ).content
    ),
    "websocket": talk,
    "kept connection": lambda s, url: [s.get(url + "/get").content for _ in range(3)],
}


@pytest.mark.parametrize("error", [OSError(104, "reset"), Cancelled()], ids=["fails", "cancelled"])
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_leaf(
    web: Web, world: Any, monkeypatch: pytest.MonkeyPatch, exchange: str, error: BaseException
) -> None:
    """Over plain TCP."""
    torture(web.url, {}, world, monkeypatch, EXCHANGES[exchange], error)


@pytest.mark.parametrize("error", [OSError(104, "reset"), Cancelled()], ids=["fails", "cancelled"])
@pytest.mark.parametrize("exchange", ["get", "upload", "both ways", "iteration", "websocket"])
def test_every_leaf_over_tls(
    web_tls: Web,
    certificates: Certificates,
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    exchange: str,
    error: BaseException,
) -> None:
    """Over TLS."""
    options = {"verify": certificates.ca_file}
    torture(web_tls.url, options, world, monkeypatch, EXCHANGES[exchange], error)


def torture(
    url: str,
    options: dict[str, Any],
    world: Any,
    patch: pytest.MonkeyPatch,
    exchange: Callable[[gofer.Session, str], Any],
    error: BaseException,
) -> None:
    for module in ("http1", "http1_content"):  # the peer is well, and has none
        patch.setattr(f"gofer.network.{module}.LAST_WORD", 0.02)
    saboteur = Saboteur(patch, world)
    for number in range(1, 400):
        with gofer.Session(**options) as session:
            saboteur.at(number, error)
            # A leaf that may fail (an idempotent request is repeated) need not be seen.
            with contextlib.suppress(gofer.RequestException, Cancelled):
                exchange(session, url)
            if not saboteur.struck:
                return
            saboteur.at(0, error)
            assert session.network.pool.counts[1:] == (0, 0), f"after leaf {number}"
            assert 200 == session.get(url + "/get").status_code, f"after leaf {number}"
    raise AssertionError("an exchange with more than 400 leaves")
