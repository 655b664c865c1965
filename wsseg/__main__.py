"""Run the command: `python -m wsseg`."""

import sys

from wsseg.cli import main

sys.exit(main())
