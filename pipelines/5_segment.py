"""Stage 5, segment: `python pipelines/5_segment.py scenes [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["segment", *sys.argv[1:]]))
