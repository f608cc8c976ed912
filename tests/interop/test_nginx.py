"""nginx, as Debian packages it: HTTP/1.1 and HTTP/2, both as it speaks them."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from servers.certificates import Certificates
from servers.raw import refused_port
from worlds import world

__all__ = ["world"]

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

pytestmark = [
    pytest.mark.skipif(
        NGINX is None, reason="NOT TESTED: nginx is missing (apt install nginx-light)"
    ),
    pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"]),
]

CONFIGURATION = """
worker_processes 1; {user} pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 512; }}
http {{
    access_log off; default_type text/plain; keepalive_requests {requests};
    http2_max_concurrent_streams 16; client_max_body_size 64m;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    gzip on; gzip_min_length 1; gzip_types text/plain;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {chain}; ssl_certificate_key {key};
        root {folder}/files;
        location = /hello {{ return 200 "hello from nginx"; }}
        location = /away {{ return 302 /hello; }}
        location = /small {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:1; }}
    }}
}}
"""


class Nginx:
    """A running nginx. files: its root; requests: after how many it says goodbye."""

    def __init__(self, folder: Path, certificates: Certificates, requests: int) -> None:
        self.port = refused_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.files = folder / "files"
        self.files.mkdir()
        chain, key = certificates.pem_files(folder)
        text = CONFIGURATION.format(
            folder=folder,
            port=self.port,
            chain=chain,
            key=key,
            requests=requests,
            user="user root;" if os.geteuid() == 0 else "",  # or it cannot read our files
        )
        (folder / "conf").write_text(text)
        self._run = [
            str(NGINX), "-p", str(folder), "-e", f"{folder}/errors", "-c", f"{folder}/conf",
        ]  # fmt: skip
        subprocess.run(self._run, check=True, timeout=20)  # it listens when this returns

    def stop(self) -> None:
        subprocess.run([*self._run, "-s", "stop"], check=True, timeout=20)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx"), certificates, requests=100)
    yield server
    server.stop()


@pytest.fixture
def session(certificates: Certificates, protocol: str, world: Any) -> Iterator[gofer.Session]:
    config = {"http2": protocol == "HTTP/2"}
    with gofer.Session(verify=certificates.ca_file, timeout=20, config=config) as session:
        yield session


def test_it_speaks_what_was_chosen(nginx: Nginx, session: gofer.Session, protocol: str) -> None:
    """A small response, a redirect, what is not there, HEAD."""
    answer = session.get(nginx.url + "/hello")
    assert (200, protocol, "hello from nginx") == (answer.status_code, answer.version, answer.text)
    assert nginx.url + "/hello" == session.get(nginx.url + "/away").url
    assert 404 == session.get(nginx.url + "/nothing").status_code
    assert (200, b"") == ((head := session.head(nginx.url + "/hello")).status_code, head.content)


def test_large_files_and_ranges(nginx: Nginx, session: gofer.Session) -> None:
    """20 MB, whole and a part; closing early leaves the session usable."""
    content = os.urandom(20_000_000)
    (nginx.files / "large").write_bytes(content)
    whole = {"Accept-Encoding": "identity"}
    got = session.get(nginx.url + "/large", headers=whole)
    assert hashlib.sha256(content).digest() == hashlib.sha256(got.content).digest()
    part = session.get(nginx.url + "/large", headers=whole | {"Range": "bytes=5-14"})
    assert (206, content[5:15]) == (part.status_code, part.content)
    with session.get(nginx.url + "/large", headers=whole, stream=True) as answer:
        assert content[:10] == next(answer.iter_content(10))
    assert "hello from nginx" == session.get(nginx.url + "/hello").text


def test_coded_content(nginx: Nginx, session: gofer.Session) -> None:
    """gzip, of unknown length."""
    (nginx.files / "text").write_bytes(b"all work and no play " * 5000)
    answer = session.get(nginx.url + "/text")
    assert "gzip" == answer.headers["content-encoding"]
    assert b"all work and no play " * 5000 == answer.content


def test_an_upload_that_is_refused(nginx: Nginx, session: gofer.Session) -> None:
    """413 while it is still being sent."""
    for _ in range(3):
        sent = (b"x" * 10_000 for _ in range(300))
        assert 413 == session.post(nginx.url + "/small", data=sent).status_code
    assert "hello from nginx" == session.get(nginx.url + "/hello").text


def test_a_server_that_says_goodbye_again_and_again(nginx: Nginx, session: gofer.Session) -> None:
    """After every hundred requests: none is lost, with fifty at a time and sixteen taken."""
    answers = gofer.map([nginx.url + "/hello"] * 1000, size=50, session=session)
    assert [] == [answer.error for answer in answers if answer.error is not None]
    assert ["hello from nginx"] * 1000 == [answer.text for answer in answers]
    for _ in range(250):
        assert "hello from nginx" == session.get(nginx.url + "/hello").text
