"""Requests' `utils` module, where it is no matter of the functions in it."""

import subprocess
import sys


def test_what_is_offered_does_not_depend_on_what_was_imported_first() -> None:
    """`DEFAULT_ACCEPT_ENCODING` is what a session sends, though the module is the first of all."""
    program = """
from gofer.utils import DEFAULT_ACCEPT_ENCODING
import gofer
assert DEFAULT_ACCEPT_ENCODING == gofer.Session().headers["Accept-Encoding"]
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )

    assert (0, "") == (done.returncode, done.stderr)
