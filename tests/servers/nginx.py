"""nginx, as Debian packages it: HTTP/1.1 and HTTP/2."""

import os
import shutil
import subprocess
from pathlib import Path

from servers.certificates import Certificates
from servers.raw import refused_port

__all__ = ["NGINX", "Nginx"]

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

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
        location = /hello {{ return 200 "hello"; }}
        location = /away {{ return 302 /hello; }}
        location = /small {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:1; }}
    }}
}}
"""


class Nginx:
    """A running nginx. files: its root. It says goodbye after every hundred requests."""

    requests = 100

    def __init__(self, folder: Path, certificates: Certificates) -> None:
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
            requests=self.requests,
            user="user root;" if os.geteuid() == 0 else "",  # or it cannot read our files
        )
        (folder / "conf").write_text(text)
        self._run = [
            str(NGINX), "-p", str(folder), "-e", f"{folder}/errors", "-c", f"{folder}/conf",
        ]  # fmt: skip
        subprocess.run(self._run, check=True, timeout=20)  # it listens when this returns

    def stop(self) -> None:
        subprocess.run([*self._run, "-s", "stop"], check=True, timeout=20)
