"""Stage 4, label: `python pipelines/4_label.py scenes [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["label", *sys.argv[1:]]))
