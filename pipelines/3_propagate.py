"""Stage 3, propagate: `python pipelines/3_propagate.py pipelines/recipes/scenes.yaml [--run DIR] [--option value]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["propagate", *sys.argv[1:]]))
