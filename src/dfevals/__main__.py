"""`python -m dfevals`."""

import sys

from dfevals.cli import main

if __name__ == "__main__":
    sys.exit(main())
