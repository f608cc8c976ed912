"""Caddy, as Debian packages it: HTTP/1.1, HTTP/2 and HTTP/3, which it announces itself."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionError
from servers.certificates import Certificates
from servers.raw import refused_port
from worlds import world

__all__ = ["world"]

CADDY = shutil.which("caddy")

pytestmark = pytest.mark.skipif(
    CADDY is None, reason="NOT TESTED: caddy is missing (apt install caddy)"
)
each_protocol = pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2", "HTTP/3"])
PLAIN_PYTHON = pytest.mark.only_in("blocking")

CONFIGURATION = """
{{
    admin off
    auto_https off
    storage file_system {folder}/storage
    servers {{
        strict_sni_host insecure_off
    }}
}}
https://127.0.0.1:{port} {{
    tls {chain} {key}
    root * {folder}/files
    encode gzip
    respond /hello "hello from caddy"
    redir /away /hello 302
    handle /early {{
        respond "no" 413
    }}
    file_server
}}
https://localhost:{closed_port} {{
    bind 127.0.0.1
    tls {chain} {key} {{
        client_auth {{
            mode require_and_verify
            trusted_ca_cert_file {authority}
        }}
    }}
    respond "come in"
}}
"""


class Caddy:
    """A running Caddy. url: of the open site; closed_url: of one that wants a certificate."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        port, closed_port = refused_port(), refused_port()
        self.url = f"https://127.0.0.1:{port}"
        self.closed_url = f"https://localhost:{closed_port}"
        self.files = folder / "files"
        self.files.mkdir()
        chain, key = certificates.pem_files(folder)
        (folder / "Caddyfile").write_text(
            CONFIGURATION.format(
                folder=folder, port=port, closed_port=closed_port, chain=chain, key=key,
                authority=certificates.ca_file,
            )
        )  # fmt: skip
        self._process = subprocess.Popen(
            [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")],
            stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        said = self._process.stderr
        assert said is not None
        lines = []
        for line in said:
            lines.append(line)
            if "serving initial configuration" in line:
                break
        else:
            raise AssertionError("".join(lines))
        self._listener = threading.Thread(target=said.read, name="caddy's log", daemon=True)
        self._listener.start()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._listener.join(20)
        if self._process.stderr is not None:
            self._process.stderr.close()


@pytest.fixture(scope="module")
def caddy(certificates: Certificates) -> Iterator[Caddy]:
    with tempfile.TemporaryDirectory() as folder:
        server = Caddy(Path(folder), certificates)
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


@each_protocol
def test_it_speaks_what_was_chosen(caddy: Caddy, session: gofer.Session, protocol: str) -> None:
    """A small response, a redirect, what is not there, HEAD."""
    answer = session.get(caddy.url + "/hello")
    assert (200, protocol, "hello from caddy") == (answer.status_code, answer.version, answer.text)
    assert caddy.url + "/hello" == session.get(caddy.url + "/away").url
    assert 404 == session.get(caddy.url + "/nothing").status_code
    assert (200, b"") == ((head := session.head(caddy.url + "/hello")).status_code, head.content)


@each_protocol
def test_large_files_and_ranges(caddy: Caddy, session: gofer.Session) -> None:
    """20 MB, whole and a part; closing early leaves the session usable."""
    content = os.urandom(20_000_000)
    (caddy.files / "large").write_bytes(content)
    whole = {"Accept-Encoding": "identity"}
    got = session.get(caddy.url + "/large", headers=whole)
    assert hashlib.sha256(content).digest() == hashlib.sha256(got.content).digest()
    part = session.get(caddy.url + "/large", headers=whole | {"Range": "bytes=5-14"})
    assert (206, content[5:15]) == (part.status_code, part.content)
    with session.get(caddy.url + "/large", headers=whole, stream=True) as answer:
        assert content[:10] == next(answer.iter_content(10))
    assert "hello from caddy" == session.get(caddy.url + "/hello").text


@each_protocol
def test_coded_content(caddy: Caddy, session: gofer.Session) -> None:
    """gzip, of unknown length."""
    (caddy.files / "text.txt").write_bytes(b"all work and no play " * 5000)
    answer = session.get(caddy.url + "/text.txt")
    assert "gzip" == answer.headers["content-encoding"]
    assert b"all work and no play " * 5000 == answer.content


@each_protocol
def test_an_upload_that_is_answered_early(caddy: Caddy, session: gofer.Session) -> None:
    """413 while it is still being sent."""
    for _ in range(3):
        sent = (b"x" * 10_000 for _ in range(300))
        assert 413 == session.post(caddy.url + "/early", data=sent).status_code
    assert "hello from caddy" == session.get(caddy.url + "/hello").text


@each_protocol
def test_many_at_once(caddy: Caddy, session: gofer.Session) -> None:
    """A thousand, fifty at a time."""
    answers = gofer.map([caddy.url + "/hello"] * 1000, size=50, session=session)
    assert [] == [answer.error for answer in answers if answer.error is not None]
    assert ["hello from caddy"] * 1000 == [answer.text for answer in answers]


@each_protocol
@PLAIN_PYTHON
def test_a_client_certificate(caddy: Caddy, certificates: Certificates, protocol: str) -> None:
    """Shown from two files and from one; without it nobody comes in."""
    for cert in (certificates.client_cert, certificates.client_cert_in_one_file):
        with session_for(certificates, protocol, cert=cert) as session:
            answer = session.get(caddy.closed_url)
            assert (protocol, "come in") == (answer.version, answer.text)
    with session_for(certificates, protocol) as session:
        with pytest.raises(ConnectionError):
            session.get(caddy.closed_url)


def test_it_announces_http_3_itself(caddy: Caddy, certificates: Certificates, world: Any) -> None:
    """In its first answer."""
    with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
        versions = [session.get(caddy.url + "/hello").version for _ in range(3)]
    assert ["HTTP/2", "HTTP/3", "HTTP/3"] == versions
