"""Stage 2, localize: `python pipelines/2_localize.py scenes [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["localize", *sys.argv[1:]]))
