"""Stage 1, classify: `python pipelines/1_classify.py scenes [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["classify", *sys.argv[1:]]))
