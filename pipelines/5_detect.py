"""The stage detect: `python pipelines/5_detect.py scenes_instances [--OPTION VALUE]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["detect", *sys.argv[1:]]))
