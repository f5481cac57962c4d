"""SOURCE: opens the source of a name. Only what is asked for is imported."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pypistats.config import ConfigError
from pypistats.sources import Budget, DownloadSource

SAMPLE_DAYS = 180


def open_source(
    name: str, config: Mapping[str, Any], *, until: dt.date, budget: Budget | None = None
) -> DownloadSource:
    """Return the source of that name; `until` is the last day that a sample has.

    A source that bills keeps within `budget`; None is for one who has agreed to what it costs.

    Raises ConfigError for a setting that can't be, SourceError where there are no credentials.
    """
    if name == "sample":
        from pypistats.sources.sample import SampleSource  # noqa: PLC0415

        return SampleSource(until, SAMPLE_DAYS)
    return _open_clickhouse(config) if name == "clickhouse" else _open_bigquery(config, budget)


def _open_clickhouse(config: Mapping[str, Any]) -> DownloadSource:
    from pypistats.sources.clickhouse import ClickHouseSource  # noqa: PLC0415

    return ClickHouseSource(
        config["CLICKHOUSE_URL"],
        user=config["CLICKHOUSE_USER"],
        password=config["CLICKHOUSE_PASSWORD"],
        database=config["CLICKHOUSE_DATABASE"],
    )


def _open_bigquery(config: Mapping[str, Any], budget: Budget | None) -> DownloadSource:
    from pypistats.sources import bigquery  # noqa: PLC0415

    try:
        return bigquery.open_source(
            project=config["BIGQUERY_PROJECT"],
            credentials=config["BIGQUERY_CREDENTIALS"],
            max_bytes_per_day=config["BIGQUERY_MAX_BYTES_PER_DAY"],
            budget=budget,
        )
    except ValueError as error:
        raise ConfigError(f"BIGQUERY_CREDENTIALS: {error}") from error
