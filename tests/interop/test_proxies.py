"""Proxies that others wrote: each carries the same, whatever is spoken through it."""

from collections.abc import Iterator
from typing import Any

import pytest

import gofer
from gofer.exceptions import ProxyError
from servers.certificates import Certificates
from servers.programs import Danted, DigestSquid, Microsocks, Program, Squid, Tinyproxy
from servers.raw import refused_port
from servers.web import Web
from worlds import world

__all__ = ["world"]

PROXIES: dict[str, type[Program]] = {
    "squid": Squid, "squid by Digest": DigestSquid, "tinyproxy": Tinyproxy, "dante": Danted,
    "microsocks": Microsocks,
}  # fmt: skip

pytestmark = [
    pytest.mark.usefixtures("world"),
    pytest.mark.parametrize("through", PROXIES, indirect=True),
]


@pytest.fixture(scope="module")
def through(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Program]:
    """The proxy that the test goes through."""
    kind = PROXIES[request.param]
    if kind.path is None:
        pytest.skip(f"NOT TESTED: {request.param} is missing ({kind.install})")
    proxy = kind(tmp_path_factory.mktemp(request.param), certificates)
    yield proxy
    proxy.stop()


@pytest.fixture
def session(through: Program, certificates: Certificates) -> Iterator[gofer.Session]:
    proxies = {"all": through.url}
    with gofer.Session(proxies=proxies, verify=certificates.ca_file, timeout=20) as session:
        yield session


def test_in_the_clear(through: Program, web: Web, session: gofer.Session) -> None:
    """Small, large, uploaded."""
    for _ in range(3):
        assert session.get(f"{web.url}/get").json()["url"].endswith("/get")
    assert len(session.get(f"{web.url}/bytes/100000").content) == 100_000
    assert session.post(f"{web.url}/post", data=b"x" * 100_000).json()["data"] == "x" * 100_000


def test_over_tls(web_tls: Web, session: gofer.Session) -> None:
    """HTTP/2 through a tunnel, and HTTP/1.1 too."""
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        answer = session.get(f"{web_tls.url}/get", config={"http2": http2})
        assert answer.version == version
    answers = gofer.map([f"{web_tls.url}/get"] * 50, size=10, session=session)
    assert [answer.status_code for answer in answers] == [200] * 50


def test_websockets(web: Web, web_tls: Web, session: gofer.Session) -> None:
    for url in (web.url, web_tls.url):
        with session.websocket(f"{url}/websocket") as socket:
            socket.send("x" * 300_000)
            assert socket.receive() == "x" * 300_000


def test_nobody_behind_it(through: Program, session: gofer.Session) -> None:
    """The proxy is not to blame for that, but it is who says so."""
    with pytest.raises(ProxyError):
        session.get(f"https://127.0.0.1:{refused_port()}/")


def test_a_wrong_password(through: Any, certificates: Certificates, web_tls: Web, web: Web) -> None:
    if "@" not in through.url:
        pytest.skip("it asks for none")
    wrong = through.url.replace("open-sesame", "wrong")
    with gofer.Session(proxies={"all": wrong}, verify=certificates.ca_file) as session:
        with pytest.raises(ProxyError) as caught:
            session.get(f"{web_tls.url}/get")
        assert "wrong" not in str(caught.value)
