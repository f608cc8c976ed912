"""Requests' `help` module: what a bug report should say. `python -m gofer.help` prints it."""

import json
import platform
import ssl
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import idna

from gofer.config import VERSION

__all__ = ["info", "main"]

# What gofer may stand on, beside itself.
_PACKAGES = ("charset_normalizer", "chardet", "certifi", "httptools", "urllib3")


def info() -> dict[str, Any]:
    """Versions and platform, by name, as a dict of JSON values."""
    return {
        "gofer": {"version": VERSION},
        "requests": {"version": VERSION},
        "implementation": {
            "name": platform.python_implementation(),
            "version": platform.python_version(),
        },
        "platform": {"system": platform.system(), "release": platform.release()},
        "system_ssl": {"version": f"{ssl.OPENSSL_VERSION_NUMBER:x}"},
        "idna": {"version": getattr(idna, "__version__", "")},
        **{name: {"version": _version(name)} for name in _PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Print `info()` as JSON."""
    json.dump(info(), sys.stdout, sort_keys=True, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
