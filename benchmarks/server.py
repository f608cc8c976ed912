"""The server of all measurements: nginx on free loopback ports, HTTP and HTTPS.

The small answer has the field section of a usual JSON API (nine fields), the large files are
sparse: they cost neither disk nor the client anything.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from environments import SERVER_CPU, pinned

__all__ = [
    "DOCUMENT", "HUNDRED", "LARGE", "STREAM", "Caddy", "Server", "document_over", "free_port",
]  # fmt: skip

DOCUMENT = {"id": 4711, "name": "small answer", "ok": True, "tags": ["a", "b"]}
LARGE = 200 * 1024 * 1024  # bytes
HUNDRED = 100 * 1024 * 1024  # bytes
STREAM = 2 * 1024 * 1024 * 1024  # bytes

MISSING = """\
nginx was not found, and every client is measured against it. To install it:
    Debian, Ubuntu   sudo apt-get install nginx-light
    Fedora           sudo dnf install nginx
    macOS            brew install nginx
"""

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_session_cache shared:tls:1m;
    server {{
        listen 127.0.0.1:{http_port} backlog=8192;
        listen 127.0.0.1:{https_port} ssl backlog=8192;
        listen 127.0.0.1:{http2_port} ssl http2 backlog=8192;
        root {folder}/files;
        location = /status {{ stub_status; }}
        location = /small {{
            default_type application/json;
            add_header Cache-Control "private, max-age=0, must-revalidate";
            add_header Vary "Accept, Accept-Encoding";
            add_header X-Request-Id "7f0c2b1e-5f2e-4f0a-9b1c-3d5e7a9b1c3d";
            add_header X-Content-Type-Options nosniff;
            return 200 '{document}';
        }}
        location = /spoken {{
            default_type application/json;
            add_header Cache-Control "private, max-age=0, must-revalidate";
            add_header Vary "Accept, Accept-Encoding";
            add_header X-Request-Id "7f0c2b1e-5f2e-4f0a-9b1c-3d5e7a9b1c3d";
            add_header X-Content-Type-Options nosniff;
            return 200 '{spoken}';
        }}
    }}
}}
"""


class Server:
    """nginx, while the `with` lasts.

    Attributes:
        http, https: the URL up to the path: `http://127.0.0.1:port`.
        http2: the same over TLS, where HTTP/2 can be chosen.
        trust: path of the CA that signed the certificate, PEM.
        files: the folder of what else is served: large and tiny are there.
    """

    def __enter__(self) -> "Server":
        executable = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if executable is None:
            raise SystemExit(MISSING)
        self._folder = tempfile.TemporaryDirectory(prefix="gofer-bench-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        http_port, https_port, http2_port = free_port(), free_port(), free_port()
        self.http2 = f"https://127.0.0.1:{http2_port}"
        self.http = f"http://127.0.0.1:{http_port}"
        self.https = f"https://127.0.0.1:{https_port}"
        self.trust = str(folder / "ca.pem")
        _write_certificate(folder)
        self.files = folder / "files"
        _write_files(self.files)
        (folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                user="user root;" if os.geteuid() == 0 else "",
                http_port=http_port,
                https_port=https_port,
                http2_port=http2_port,
                document=json.dumps(DOCUMENT, separators=(",", ":")),
                spoken=json.dumps(document_over("$server_protocol"), separators=(",", ":")),
            )
        )
        command = [executable, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        self._process = subprocess.Popen(
            pinned(command, SERVER_CPU), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_until_it_answers(http_port, folder / "error.log")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def small(self, *, tls: bool = False) -> tuple[str, str | None]:
        """The URL of the small JSON, and the CA to trust for it."""
        return (f"{self.https}/small", self.trust) if tls else (f"{self.http}/small", None)

    def connections(self) -> int:
        """How many were accepted so far, the one that asks included."""
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with no_proxy.open(f"{self.http}/status") as response:
            return int(response.read().split(b"\n")[2].split()[0])

    def _wait_until_it_answers(self, port: int, log: Path) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit(f"nginx did not start:\n{log.read_text() if log.exists() else ''}")


def document_over(protocol: str) -> dict[str, object]:
    """The small answer of /spoken: who brings it has spoken `protocol`."""
    return {**DOCUMENT, "protocol": protocol}


class Caddy:
    """Caddy, for HTTP/3, while the `with` lasts. It serves the files of `server`.

    Attributes:
        url: up to the path.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def __enter__(self) -> "Caddy | None":
        """None where there is no Caddy."""
        executable = shutil.which("caddy")
        if executable is None:
            return None
        folder = self._server.files.parent
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        document = json.dumps(document_over("HTTP/3.0"), separators=(",", ":"))
        (folder / "Caddyfile").write_text(
            f"{{\n admin off\n auto_https off\n storage file_system {folder}/caddy\n}}\n"
            f"{self.url} {{\n tls {folder}/certificate.pem {folder}/key.pem\n"
            f" root * {self._server.files}\n header /spoken Content-Type application/json\n"
            " @spoken {\n  path /spoken\n  protocol http/3\n }\n"
            f" respond @spoken `{document}`\n file_server\n}}\n"
        )
        command = [executable, "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]
        self._process = subprocess.Popen(
            pinned(command, SERVER_CPU),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        Server._wait_until_it_answers(self, port, folder / "caddy.log")  # type: ignore[arg-type]
        return self

    def __exit__(self, *exc_info: object) -> None:
        if hasattr(self, "_process"):
            self._process.terminate()
            self._process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _write_certificate(folder: Path) -> None:
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(str(folder / "certificate.pem"), append=number > 0)


def _write_files(folder: Path) -> None:
    folder.mkdir()
    for name, size in (("large", LARGE), ("hundred", HUNDRED), ("tiny", 1)):
        path = folder / name
        path.touch()
        os.truncate(path, size)
