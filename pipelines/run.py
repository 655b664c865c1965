"""All stages that are not done: `python pipelines/run.py pipelines/recipes/scenes.yaml [--run DIR] [--option value]`."""

import sys

from wsseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
