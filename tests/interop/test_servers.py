"""Servers that others wrote, as Debian packages them: each does the same in every protocol it has."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionError
from servers.caddy import CADDY, Caddy
from servers.certificates import Certificates
from servers.nginx import NGINX, Nginx
from servers.programs import Granian, Haproxy, Hypercorn, Nghttpd
from worlds import world

__all__ = ["world"]

PLAIN_PYTHON = pytest.mark.only_in("blocking")

SERVERS: dict[str, tuple[Any, Any, list[str]]] = {
    "nginx": (Nginx, NGINX, ["HTTP/1.1", "HTTP/2"]),
    "caddy": (Caddy, CADDY, ["HTTP/1.1", "HTTP/2", "HTTP/3"]),
    "nghttpd": (Nghttpd, Nghttpd.path, ["HTTP/2"]),
    "haproxy": (Haproxy, Haproxy.path, ["HTTP/1.1", "HTTP/2"]),
    "hypercorn": (Hypercorn, Hypercorn.path, ["HTTP/1.1", "HTTP/2"]),
    "granian": (Granian, Granian.path, ["HTTP/1.1", "HTTP/2"]),
}


def roads(*names: str) -> Any:
    """A test for each of the servers, in each of its protocols."""
    return pytest.mark.parametrize(
        ("server", "protocol"),
        [(name, protocol) for name in names for protocol in SERVERS[name][2]],
        indirect=["server"],
    )


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """The one that the test names: `url`, and `files`, the folder of what it serves."""
    kind, path, _ = SERVERS[request.param]
    if path is None:
        install = getattr(kind, "install", f"apt install {request.param}")
        pytest.skip(f"NOT TESTED: {request.param} is missing ({install})")
    server = kind(tmp_path_factory.mktemp(request.param), certificates)
    yield server
    server.stop()


def session_for(certificates: Certificates, protocol: str, **options: Any) -> gofer.Session:
    config = {
        "http2": protocol == "HTTP/2",
        "http3": "prior knowledge" if protocol == "HTTP/3" else False,
    }
    return gofer.Session(verify=certificates.ca_file, timeout=20, config=config, **options)


@pytest.fixture
def session(certificates: Certificates, protocol: str, world: Any) -> Iterator[gofer.Session]:
    with session_for(certificates, protocol) as session:
        yield session


@roads(*SERVERS)
def test_it_speaks_what_was_chosen(server: Any, session: gofer.Session, protocol: str) -> None:
    """A small response, what is not there, HEAD."""
    answer = session.get(server.url + "/hello")
    assert (200, protocol, "hello") == (answer.status_code, answer.version, answer.text)
    assert 404 == session.get(server.url + "/nothing").status_code
    assert (200, b"") == ((head := session.head(server.url + "/hello")).status_code, head.content)


@roads("nginx", "caddy", "haproxy", "hypercorn", "granian")
def test_redirects(server: Any, session: gofer.Session) -> None:
    """From its own hand."""
    assert server.url + "/hello" == session.get(server.url + "/away").url


@roads("nginx", "caddy")
def test_large_files_and_ranges(server: Any, session: gofer.Session) -> None:
    """20 MB, whole and a part; closing early leaves the session usable."""
    content = os.urandom(20_000_000)
    (server.files / "large").write_bytes(content)
    whole = {"Accept-Encoding": "identity"}
    got = session.get(server.url + "/large", headers=whole)
    assert hashlib.sha256(content).digest() == hashlib.sha256(got.content).digest()
    part = session.get(server.url + "/large", headers=whole | {"Range": "bytes=5-14"})
    assert (206, content[5:15]) == (part.status_code, part.content)
    with session.get(server.url + "/large", headers=whole, stream=True) as answer:
        assert content[:10] == next(answer.iter_content(10))
    assert "hello" == session.get(server.url + "/hello").text


@roads("nginx", "caddy")
def test_coded_content(server: Any, session: gofer.Session) -> None:
    """gzip, of unknown length."""
    (server.files / "text.txt").write_bytes(b"all work and no play " * 5000)
    answer = session.get(server.url + "/text.txt")
    assert "gzip" == answer.headers["content-encoding"]
    assert b"all work and no play " * 5000 == answer.content


@roads("nginx", "caddy")
def test_an_upload_that_is_refused(server: Any, session: gofer.Session) -> None:
    """413 while it is still being sent."""
    for _ in range(3):
        sent = (b"x" * 10_000 for _ in range(300))
        assert 413 == session.post(server.url + "/small", data=sent).status_code
    assert "hello" == session.get(server.url + "/hello").text


@roads("hypercorn", "granian")
def test_uploads(server: Any, session: gofer.Session) -> None:
    """Of a known length, and of none."""
    content = os.urandom(3_000_000)
    pieces = [content[start : start + 50_000] for start in range(0, len(content), 50_000)]
    for data in (content, iter(pieces)):
        answer = session.post(server.url + "/digest", data=data)
        assert hashlib.sha256(content).hexdigest() == answer.text


@roads("hypercorn", "granian")
def test_websockets(server: Any, certificates: Certificates, protocol: str, world: Any) -> None:
    """HTTP/2's only where the server lets it be."""
    with session_for(certificates, protocol) as session:
        assert "hello" == session.get(server.url + "/hello").text
        with session.websocket(server.url + "/websocket") as socket:
            for message in ("hello", "x" * 500_000, b"\x00\xff"):
                socket.send(message)
                assert message == socket.receive()
            assert socket.ping() >= 0
        assert 1000 == socket.closed.code


@roads(*SERVERS)
def test_many(server: Any, session: gofer.Session) -> None:
    """None is lost, fifty at a time and one by one; nginx says goodbye after every hundred."""
    answers = gofer.map([server.url + "/hello"] * 1000, size=50, session=session)
    assert [] == [answer.error for answer in answers if answer.error is not None]
    assert ["hello"] * 1000 == [answer.text for answer in answers]
    for _ in range(250):
        assert "hello" == session.get(server.url + "/hello").text


@roads("caddy")
@PLAIN_PYTHON
def test_a_client_certificate(server: Any, certificates: Certificates, protocol: str) -> None:
    """Shown from two files, from one and from memory; without it nobody comes in."""
    both = certificates.client_cert_in_one_file
    for cert in (certificates.client_cert, both, Path(both).read_bytes()):
        with session_for(certificates, protocol, cert=cert) as session:
            answer = session.get(server.closed_url)
            assert (protocol, "come in") == (answer.version, answer.text)
    with session_for(certificates, protocol) as session:
        with pytest.raises(ConnectionError):
            session.get(server.closed_url)


@pytest.mark.parametrize("server", ["caddy"], indirect=True)
def test_http_3_is_announced(server: Any, certificates: Certificates, world: Any) -> None:
    """In the first answer."""
    with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
        versions = [session.get(server.url + "/hello").version for _ in range(3)]
    assert ["HTTP/2", "HTTP/3", "HTTP/3"] == versions
