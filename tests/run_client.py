"""Run the `pypistats` command-line client against another server: `run_client.py URL WORD...`.

Runs in the client's own environment, which has nothing of this project.
"""

import sys

import pypistats

pypistats.BASE_URL = sys.argv.pop(1)

from pypistats import cli  # noqa: E402

cli.main()
