"""Where a client's process runs: which Python, which variables, which processor."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tables import complain

__all__ = [
    "CLIENT_CPU",
    "HERE",
    "SERVER_CPU",
    "SOURCE",
    "clean_environment",
    "compile_source",
    "make_environments",
    "pinned",
    "python_for",
    "version_of",
]

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"

# The clients that run where this script does: gofer from src, and what needs no package.
AT_HOME = {"raw", "gofer", "gofer_async", "gofer_http3", "http_client"}

PEERS = HERE / ".venv"
APART = {"niquests": HERE / ".venv-niquests"}  # its urllib3-future takes urllib3's place

# Variables that would change what a client does: proxies, trust, flags of Python.
UNWANTED = ("_PROXY", "SSL_CERT", "CA_BUNDLE", "PYTHON", "NETRC", "SSLKEYLOGFILE")

# None where there is nothing to choose.
SERVER_CPU: int | None = None
CLIENT_CPU: int | None = None
if hasattr(os, "sched_getaffinity") and shutil.which("taskset"):
    _processors = sorted(os.sched_getaffinity(0))
    if len(_processors) > 1:
        SERVER_CPU, CLIENT_CPU = _processors[0], _processors[1]


def pinned(command: list[str], cpu: int | None) -> list[str]:
    """`command`, kept on one processor."""
    return command if cpu is None else ["taskset", "--cpu-list", str(cpu), *command]


def clean_environment() -> dict[str, str]:
    """The variables of a client's process: nobody's proxies, and gofer's source."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(part in name.upper() for part in UNWANTED)
    }
    # Equal hashes make equal instruction counts.
    return kept | {"PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": "0"}


def python_for(client: str) -> str:
    """The interpreter that has the client's package."""
    client = client.partition("+")[0].replace("niquests_http3", "niquests")
    if client in AT_HOME:
        return sys.executable
    return str(APART.get(client, PEERS) / "bin" / "python")


def version_of(client: str) -> str:
    """The version of the client's package, or of Python where that is the client."""
    if client in ("raw", "http_client"):
        return sys.version.split()[0]
    script = "from importlib.metadata import version; import sys; print(version(sys.argv[1]))"
    if client == "gofer":
        script = "import gofer; print(gofer.__version__)"
    done = subprocess.run(
        [python_for(client), "-c", script, client],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "?"


def make_environments(clients: list[str]) -> None:
    """Make the peers' environments where they are missing or older than their list."""
    if any(client not in AT_HOME and client not in APART for client in clients):
        _make(PEERS, HERE / "requirements.txt")
    for client in clients:
        if client in APART:
            _make(APART[client], HERE / f"requirements-{client}.txt")


def compile_source() -> None:
    """Byte-compile gofer, as installing does for the peers: start-up is measured too."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(SOURCE)], check=False)


def _make(folder: Path, requirements: Path) -> None:
    done = folder / ".done"
    if done.exists() and done.stat().st_mtime >= requirements.stat().st_mtime:
        return
    complain(f"installing the peers into {folder.name}, once")
    # Without a pip of its own: ours installs into it, and no ensurepip is needed.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    if _install(folder, "-r", str(requirements)):
        done.touch()
        return
    # One that has no wheel for this platform must not cost the others their place.
    for line in requirements.read_text().splitlines():
        if line and not line.startswith("#") and not _install(folder, line):
            complain(f"{line} could not be installed")


def _install(folder: Path, *what: str) -> bool:
    """True if pip could."""
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--quiet"]
    command = [*pip, "install", "--disable-pip-version-check", "--upgrade", *what]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
