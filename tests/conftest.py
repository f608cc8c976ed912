"""What every test stands on: a clean environment, servers to talk to, and nothing left behind.

gofer is imported inside fixtures only, so that a test of one room needs that room alone.
"""

import contextlib
import gc
import importlib
import inspect
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from servers.certificates import Certificates
from servers.listener import Listener
from servers.proxy import Proxy
from servers.web import Web
from servers.web2 import Web2
from servers.web3 import Web3
from worlds import warm_up

ROOT = Path(__file__).resolve().parents[1]
VECTORS = ROOT.parent / "shared" / "vectors"

# What the outside may say about proxies, trust and passwords. Tests set what they mean.
OUTSIDE = (
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY FTP_PROXY REQUEST_METHOD "
    "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE NETRC"
).split()

SETTLING = 3.0  # seconds; only a test that leaks waits so long

ServerT = TypeVar("ServerT", bound=Listener)

_shared: list[Listener] = []  # servers that several tests talk to


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No variable of the outside reaches a test, and HOME is an empty folder (no netrc)."""
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    home = _empty_home(tmp_path_factory)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)


_home: list[str] = []


def _empty_home(factory: pytest.TempPathFactory) -> str:
    if not _home:
        _home.append(str(factory.mktemp("home")))
    return _home[0]


warm_up()


def pytest_configure(config: pytest.Config) -> None:
    """With `--h2`, gofer does not find ngh2. The servers do."""
    if config.getoption("--h2"):
        ngh2 = sys.modules.pop("ngh2", None)
        sys.modules["ngh2"] = None  # type: ignore[assignment]
        importlib.import_module("gofer.protocols.http2")
        del sys.modules["ngh2"]
        if ngh2 is not None:
            sys.modules["ngh2"] = ngh2


def pytest_collection_finish() -> None:
    """The tests themselves stay to the end: no search for garbage has to look at them."""
    gc.collect()
    gc.freeze()


# The worlds of a test --------------------------------------------------------------------------------


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take tests out of the worlds that they are not about, and count the others."""
    left_out = [item for item in items if not _exists_in_its_world(item)]
    if config.getoption("--h2"):
        left_out += [item for item in items if item.get_closest_marker("ngh2") is not None]
    if config.getoption("--http2") or config.getoption("--http3"):
        left_out += [item for item in items if not _may_speak_another(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        out = set(left_out)
        items[:] = [item for item in items if item not in out]
    worlds: dict[str, int] = {}
    for item in items:
        name = _world_of(item)
        if name is not None:
            worlds[name] = worlds.get(name, 0) + 1
    config.stash[_worlds] = worlds
    if hasattr(config, "workeroutput"):  # one of several processes: tell the one that sums up
        config.workeroutput["worlds"] = worlds


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each process has collected all tests: what one says is what there is."""
    node.config.stash[_worlds] = getattr(node, "workeroutput", {}).get("worlds", {})


_worlds = pytest.StashKey[dict[str, int]]()


def _world_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("world")


def _exists_in_its_world(item: pytest.Item) -> bool:
    name, marker = _world_of(item), item.get_closest_marker("only_in")
    return name is None or marker is None or name in marker.args


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many tests ran in which world."""
    worlds = config.stash.get(_worlds, {})
    if worlds:
        counts = ", ".join(f"{name} {count}" for name, count in worlds.items())
        total = sum(worlds.values())
        terminalreporter.write_line(
            f"the same behaviour in {len(worlds)} worlds: {counts} = {total}"
        )


# HTTP/2 and HTTP/3 ---------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--h2", action="store_true", help="HTTP/2 by h2, as where ngh2 is not there")
    for version in ("2", "3"):
        parser.addoption(
            f"--http{version}",
            action="store_true",
            help=f"tests that talk to the web server, and to no scripted one, speak HTTP/{version}",
        )


@pytest.fixture(autouse=True)
def http2(request: pytest.FixtureRequest) -> Iterator[None]:
    """With `--http2`, the same behaviour over HTTP/2."""
    if not (request.config.getoption("--http2") and _may_speak_another(request.node)):
        yield
        return
    from gofer.config import defaults

    # "prior knowledge" counts for every origin: a test that scripts HTTP/1.1 itself is left alone.
    defaults["http2"] = True if _scripts_itself(request) else "prior knowledge"
    yield
    del defaults["http2"]


@pytest.fixture(autouse=True)
def http3(
    request: pytest.FixtureRequest, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bool]:
    """With `--http3`, the same behaviour over HTTP/3; True if this test is one of those."""
    if (
        not (request.config.getoption("--http3") and _may_speak_another(request.node))
        or _scripts_itself(request)
        or {"web", "web_tls"} <= set(request.fixturenames)
    ):
        yield False
        return
    from gofer.config import defaults

    certificates = request.getfixturevalue("certificates")
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca_file)
    defaults["http3"] = "prior knowledge"
    yield True
    del defaults["http3"]


def _may_speak_another(item: Any) -> bool:
    """The test talks to the web server, and is not about HTTP/1.1."""
    return (
        not {"web", "web_tls"}.isdisjoint(item.fixturenames)
        and item.get_closest_marker("http1") is None
    )


def _scripts_itself(request: pytest.FixtureRequest) -> bool:
    code = inspect.getsource(request.function)
    return any(word in code for word in ("serve(", "proxy", "refused_port"))


# Nothing left behind ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test there are no more open files, sockets, threads and pool slots than before it.

    Mark a test with `@pytest.mark.leaks("why")` if it has to leave something behind.
    """
    if "web" in request.fixturenames:
        request.getfixturevalue("web")  # it starts one that stays
    before = _left_open()
    yield
    if request.node.get_closest_marker("leaks") is not None:
        return
    give_up = time.monotonic() + SETTLING
    collect_at = time.monotonic() + 0.02
    leaked = _left_open() - before
    while leaked and (now := time.monotonic()) < give_up:
        if now >= collect_at:
            gc.collect()  # what hangs in a cycle is not a leak
            collect_at = give_up
        time.sleep(0.002)  # the servers' threads notice a closed connection a little later
        leaked = _left_open() - before
    assert not leaked, f"left behind: {sorted(leaked)}"


def _left_open() -> set[str]:
    """Names of the open files, sockets and threads of this process.

    Daemon threads do not count: a stalled name look-up is abandoned to one, on purpose.
    """
    names = {f"thread {thread.name}" for thread in threading.enumerate() if not thread.daemon}
    try:
        numbers = os.listdir("/proc/self/fd")
    except FileNotFoundError:  # not Linux: threads only
        return names
    for number in numbers:
        # The descriptor that listed the folder is closed by now.
        with contextlib.suppress(OSError):
            names.add(f"descriptor {number} {os.readlink(f'/proc/self/fd/{number}')}")
    return names | _slots_in_use()


def _slots_in_use() -> set[str]:
    """Names of the pools of gofer that still count a connection as in use, or somebody waiting."""
    module = sys.modules.get("gofer.network.pool")
    if module is None:
        return set()
    return {f"{pool!r} at {id(pool):x}" for pool in list(module._pools) if any(pool.counts[1:])}


@pytest.fixture(autouse=True)
def shared_servers_start_afresh() -> Iterator[None]:
    """Servers that live longer than a test count from zero, and speak up after it."""
    for server in _shared:
        server.reset_counts()
    yield
    for server in _shared:
        server.raise_errors()


# Servers ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority with good and bad certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def web(request: pytest.FixtureRequest, http3: bool) -> Web:
    """The web server with httpbin's routes; the one over TLS if the test speaks HTTP/3."""
    server: Web = request.getfixturevalue("web_tls" if http3 else "web_plain")
    return server


@pytest.fixture(scope="session")
def web_plain() -> Iterator[Web]:
    """The web server without TLS."""
    yield from _share(Web2())


@pytest.fixture(scope="session")
def web_tls(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path_factory: Any
) -> Iterator[Web]:
    """The same over TLS; use `verify=certificates.ca_file`."""
    if request.config.getoption("--http3"):
        chain, key = certificates.pem_files(tmp_path_factory.mktemp("web3"))
        yield from _share(Web3(tls=certificates.good_http2, chain=chain, key=key))
    else:
        yield from _share(Web2(tls=certificates.good_http2))


@pytest.fixture(scope="session")
def proxy() -> Iterator[Proxy]:
    """A forward proxy without credentials."""
    yield from _share(Proxy())


def _share(server: ServerT) -> Iterator[ServerT]:
    with server:
        _shared.append(server)
        yield server
        _shared.remove(server)


# gofer --------------------------------------------------------------------------------------------


@pytest.fixture
def session() -> Iterator[Any]:
    """A `gofer.Session`, closed at the end of the test."""
    import gofer

    with gofer.Session() as session:
        yield session


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of the shared test vectors; tests that need it are skipped without it."""
    if not VECTORS.is_dir():
        pytest.skip(f"the test vectors are not at {VECTORS}")
    return VECTORS
