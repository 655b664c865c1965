"""Stage 6, evaluate: `python pipelines/6_evaluate.py scenes [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
