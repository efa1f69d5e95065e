"""Run the command line with ``python -m skdeepenc``."""

import sys

from skdeepenc.cli import main

if __name__ == "__main__":
    sys.exit(main())
