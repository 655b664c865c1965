"""Stage 5, segment: `python pipelines/5_segment.py pipelines/recipes/scenes.yaml [--run DIR] [--option value]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["segment", *sys.argv[1:]]))
