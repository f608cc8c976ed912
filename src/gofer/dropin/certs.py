"""Requests' `certs` module: where the trusted certificates are.

`python -m gofer.certs` prints it.
"""

import sys

__all__ = ["where"]


def where() -> str:
    """The path of the certificates that are trusted by default: the system's, else certifi's."""
    from gofer.network.trust import trusted_file

    return trusted_file()


if __name__ == "__main__":
    sys.stdout.write(f"{where()}\n")
