"""Ingest a day in a process of its own: `run_ingest.py PAUSE_AFTER`, for tests that kill it.

Says `reading` after so many rows and then waits for ever; with 0 it never waits.
"""

import sys
import time
from collections.abc import Iterator

from pypistats import create_app, ingest
from pypistats.catalog import PackageDay
from tests.fixed_source import DAY, FixedSource, package_day

NEW_DAY = [package_day("flask", downloads=9)] + [
    package_day(f"package-{n:05}", downloads=n % 7 + 1, mirrored=n % 3) for n in range(20_000)
]


class PausingSource(FixedSource):
    """Waits for ever after `pause_after` rows."""

    pause_after = 0

    def fetch(self, *asked: object) -> Iterator[PackageDay]:
        for count, row in enumerate(self.rows, start=1):
            yield row
            if count == self.pause_after:
                sys.stdout.write("reading\n")
                sys.stdout.flush()
                time.sleep(600)


if __name__ == "__main__":
    source = PausingSource(*NEW_DAY)
    source.pause_after = int(sys.argv[1])
    with create_app().app_context():
        ingest.ingest_day(DAY, source)
