"""What answers cost among more and more packages: `make bench-sizes`, which needs `wrk`.

The same packages are asked for in each database, so that nothing but its size is different.
"""

from collections.abc import Mapping
from pathlib import Path

import click

from benchmarks import wrk
from benchmarks.bars import Bars
from benchmarks.endpoints import COMMON, ENDPOINTS, Endpoint, common_names, made, read_from_disk
from benchmarks.filled import filled
from benchmarks.package_days import ALL_OF_PYPI
from benchmarks.web import pin, serving
from pypistats.server import SITE

GROWTH = 1.25
"""What the largest may cost in the smallest's place: runs differ by so much among themselves."""


@click.command()
@click.option(
    "--packages", type=click.IntRange(COMMON, ALL_OF_PYPI), default=ALL_OF_PYPI, show_default=True
)
@click.option("--days", type=click.IntRange(1, 365), default=180, show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Keep the generated databases here for the next run; without it, they go.",
)
def main(packages: int, days: int, folder: Path | None) -> None:
    """Measure uncached answers in databases of up to so many packages, and print a table."""
    wrk.require()
    pin()
    sizes = [size for size in (COMMON, 10 * COMMON) if size < packages] + [packages]
    costs = {size: _costs(size, days, folder) for size in sizes}
    click.echo(f"{'CPU ms':24}" + "".join(f"{size:>10,}" for size in sizes))
    bars = Bars()
    for endpoint in ENDPOINTS:
        each = [costs[size][endpoint] for size in sizes]
        click.echo(f"{endpoint.title:24}" + "".join(f"{cost:10.2f}" for cost in each))
        bars.at_most(f"largest to smallest: {endpoint.title}", each[-1] / each[0], GROWTH, "x")
    bars.print()


def _costs(packages: int, days: int, folder: Path | None) -> Mapping[Endpoint, float]:
    chosen = common_names()
    costs = {}
    with filled(packages, days, folder) as database, serving(SITE, database) as site:
        for endpoint in ENDPOINTS:
            read_from_disk(database, SITE, chosen)
            costs[endpoint] = made(site, endpoint, chosen).cpu
    return costs


if __name__ == "__main__":
    main()
