"""`python -m gofer`: the command line."""

import sys

from gofer.cli import main

if __name__ == "__main__":
    sys.exit(main())
