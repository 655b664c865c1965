"""The stage relabel: `python pipelines/4_relabel.py RECIPE [--OPTION VALUE]`; needs `relabel.rounds`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["relabel", *sys.argv[1:]]))
