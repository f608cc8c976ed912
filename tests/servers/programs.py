"""Servers and proxies that are programs of others, each started with the configuration it needs.

`Program` starts one and waits until it listens. `path` is None where it is not installed.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import dedent

from servers.certificates import Certificates
from servers.raw import refused_port

__all__ = [
    "Danted", "DigestSquid", "Granian", "Haproxy", "Hypercorn", "Microsocks", "Nghttpd", "Program", "Squid",
    "Tinyproxy",
]  # fmt: skip

SYSTEM = "/usr/sbin:/usr/local/sbin"
PACKAGES = Path(sys.executable).parents[1] / "interop"  # `make interop` puts them there
TESTS = Path(__file__).resolve().parents[1]
PATIENCE = 20.0  # seconds for a program to listen


def find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SYSTEM)


class Program:
    """A running program. url: where it listens; folder: its files are there."""

    scheme = "https"
    path: str | None = None
    install = ""  # what brings it

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder = folder
        self.port = refused_port()
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self.files = folder / "files"
        self.files.mkdir()
        self.chain, self.key = certificates.pem_files(folder)
        self.log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            self.command(), cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, env={**os.environ, **self.environment()},
        )  # fmt: skip
        self._wait_until_it_listens()

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def write(self, name: str, text: str) -> str:
        """A file in `folder`; its path."""
        path = self.folder / name
        path.write_text(dedent(text).strip() + "\n")
        return str(path)

    def _wait_until_it_listens(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    self.stop()
                    words = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise AssertionError(
                        f"{type(self).__name__} does not listen: {words}"
                    ) from None
                time.sleep(0.02)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self.log.close()


# Servers ------------------------------------------------------------------------------------------


class Nghttpd(Program):
    """nghttp2's own, HTTP/2 alone, with files."""

    path, install = find("nghttpd"), "apt install nghttp2-server"

    def command(self) -> list[str]:
        (self.files / "hello").write_text("hello")
        return [
            str(self.path), "--address=127.0.0.1", "-d", str(self.files), str(self.port),
            str(self.key), str(self.chain),
        ]  # fmt: skip


class Haproxy(Program):
    """Answers by itself."""

    path, install = find("haproxy"), "apt install haproxy"

    def command(self) -> list[str]:
        both = self.write("both.pem", self.chain.read_text() + self.key.read_text())
        configuration = f"""
            defaults
                mode http
                timeout client 30s
                timeout server 30s
                timeout connect 5s
            frontend test
                bind 127.0.0.1:{self.port} ssl crt {both} alpn h2,http/1.1
                http-request return status 200 content-type text/plain string hello if {{ path /hello }}
                http-request redirect location /hello code 302 if {{ path /away }}
                http-request return status 404 content-type text/plain string nothing
        """
        return [str(self.path), "-db", "-f", self.write("haproxy.cfg", configuration)]


class _Asgi(Program):
    """A server of ASGI, with the application of `asgi.py`."""

    package = ""
    install = "make interop"

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{PACKAGES}:{TESTS}", "PYTHONWARNINGS": "ignore"}

    @classmethod
    def found(cls, package: str) -> str | None:
        return sys.executable if (PACKAGES / package).is_dir() else None


class Hypercorn(_Asgi):
    path = _Asgi.found("hypercorn")

    def command(self) -> list[str]:
        return [
            str(self.path), "-m", "hypercorn", "--bind", f"127.0.0.1:{self.port}",
            "--certfile", str(self.chain), "--keyfile", str(self.key), "servers.asgi:app",
        ]  # fmt: skip


class Granian(_Asgi):
    path = _Asgi.found("granian")

    def command(self) -> list[str]:
        return [
            str(self.path), "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1",
            "--port", str(self.port), "--ssl-certificate", str(self.chain),
            "--ssl-keyfile", str(self.key), "servers.asgi:app",
        ]  # fmt: skip


# Proxies ------------------------------------------------------------------------------------------


class Squid(Program):
    scheme = "http"
    path, install = find("squid"), "apt install squid"

    def command(self) -> list[str]:
        configuration = f"""
            http_port 127.0.0.1:{self.port}
            http_access allow all
            cache deny all
            pid_filename none
            access_log none
            cache_log {self.folder}/cache.log
            coredump_dir {self.folder}
            shutdown_lifetime 1 seconds
            pinger_enable off
            server_persistent_connections off
        """
        name = f"gofer{self.port}"  # several share the machine's memory by name
        path = self.write("squid.conf", configuration)
        return [str(self.path), "-N", "-n", name, "-f", path]


class DigestSquid(Squid):
    """Asks for ann's password by Digest."""

    helper = "/usr/lib/squid/digest_file_auth"
    path = find("squid") if os.path.exists(helper) else None

    def command(self) -> list[str]:
        command = super().command()
        # Squid gives up root's rights, and then cannot see our folder.
        self._passwords = tempfile.NamedTemporaryFile("w")  # noqa: SIM115
        self._passwords.write("ann:open-sesame\n")
        self._passwords.flush()
        os.chmod(self._passwords.name, 0o644)
        configuration = Path(command[-1])
        rules = f"""
            auth_param digest program {self.helper} {self._passwords.name}
            auth_param digest children 1
            auth_param digest realm test
            acl known proxy_auth REQUIRED
            http_access allow known
        """
        text = configuration.read_text().replace("http_access allow all\n", "")
        self.write(configuration.name, dedent(rules).strip() + "\n" + text)
        self.url = f"http://ann:open-sesame@127.0.0.1:{self.port}"
        return command

    def stop(self) -> None:
        super().stop()
        self._passwords.close()


class Tinyproxy(Program):
    """Asks for ann's password."""

    scheme = "http"
    path, install = find("tinyproxy"), "apt install tinyproxy"

    def command(self) -> list[str]:
        configuration = (
            f"Port {self.port}\nListen 127.0.0.1\nMaxClients 50\nLogLevel Warning\n"
            "Allow 127.0.0.1\nBasicAuth ann open-sesame\n"
        )
        self.url = f"http://ann:open-sesame@127.0.0.1:{self.port}"
        return [str(self.path), "-d", "-c", self.write("tinyproxy.conf", configuration)]


class Danted(Program):
    scheme = "socks5h"
    path, install = find("danted"), "apt install dante-server"

    def command(self) -> list[str]:
        configuration = f"""
            logoutput: stderr
            internal: 127.0.0.1 port = {self.port}
            external: 127.0.0.1
            clientmethod: none
            socksmethod: none
            client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
            socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
        """
        return [str(self.path), "-f", self.write("danted.conf", configuration), "-p",
                f"{self.folder}/danted.pid"]  # fmt: skip


class Microsocks(Program):
    """Asks for ann's password."""

    scheme = "socks5"
    path, install = find("microsocks"), "apt install microsocks"

    def command(self) -> list[str]:
        self.url = f"socks5://ann:open-sesame@127.0.0.1:{self.port}"
        return [str(self.path), "-i", "127.0.0.1", "-p", str(self.port), "-u", "ann", "-P",
                "open-sesame"]  # fmt: skip
