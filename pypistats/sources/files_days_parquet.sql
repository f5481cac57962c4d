-- Ready aggregates in Parquet: one row per package and day, as the JSON object that a line of JSON
-- has for it, so that both are checked by the same code.
-- Parameter: parquet, the files.
SELECT
  filename,
  CAST(day AS DATE) AS day,
  package,
  CAST(to_json({
    day: day,
    package: package,
    with_mirrors: with_mirrors,
    without_mirrors: without_mirrors,
    python_minor: python_minor,
    system: system,
    installer: installer,
    version: version
  }) AS VARCHAR) AS record
FROM read_parquet($parquet, filename => true, hive_partitioning => false)
