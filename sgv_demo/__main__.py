"""`python -m sgv_demo …`: the command line."""

import sys

from sgv_demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
