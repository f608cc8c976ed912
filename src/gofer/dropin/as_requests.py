"""`python -m gofer.as_requests program.py ...`: run an unchanged program on gofer.

python -m gofer.as_requests program.py arguments ...
python -m gofer.as_requests -m module arguments ...
"""

import runpy
import sys

from gofer.dropin.install import install_as_requests

__all__ = ["main"]

USAGE = "usage: python -m gofer.as_requests [-m] PROGRAM [ARGUMENT ...]"


def main(arguments: list[str]) -> int:
    """Run the program that `arguments` name, with gofer as its requests.

    Returns:
        2 if no program is named; otherwise the program ends the process as it likes.
    """
    is_module = arguments[:1] == ["-m"]
    rest = arguments[1:] if is_module else arguments
    if not rest or rest[0].startswith("-"):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    install_as_requests()
    sys.argv = rest
    if is_module:
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        from os.path import abspath, dirname

        sys.path[0] = dirname(abspath(rest[0]))  # as `python program.py` does
        runpy.run_path(rest[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
