"""Caddy, as Debian packages it: HTTP/1.1, HTTP/2 and HTTP/3, which it announces itself."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

from servers.certificates import Certificates
from servers.raw import refused_port

__all__ = ["CADDY", "Caddy"]

CADDY = shutil.which("caddy")

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
    respond /hello "hello"
    redir /away /hello 302
    handle /small {{
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
