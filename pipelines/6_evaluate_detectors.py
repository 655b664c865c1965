"""The stage evaluate_detectors: `python pipelines/6_evaluate_detectors.py RECIPE [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate_detectors", *sys.argv[1:]]))
