-- Rows of file_downloads in Parquet: one row per download.
-- Parameter: parquet, the files.
SELECT
  CAST(timestamp AS TIMESTAMPTZ) AS timestamp,
  project,
  details.installer.name AS installer,
  details.python AS python,
  details.system.name AS system,
  file.version AS version
FROM read_parquet($parquet, hive_partitioning => false)
