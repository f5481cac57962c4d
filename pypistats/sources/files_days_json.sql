-- Ready aggregates in JSON lines: one row per package and day. The day is checked here, before rows
-- are chosen by it; everything else is checked on the rows that are read.
-- Parameter: json, the files.
SELECT
  filename,
  if(
    regexp_full_match(json ->> '$.day', '[0-9]{4}-[0-9]{2}-[0-9]{2}'),
    TRY_CAST(json ->> '$.day' AS DATE),
    NULL
  ) AS checked_day,
  coalesce(
    checked_day,
    error(concat(filename, ': not a day: ', coalesce(json ->> '$.day', 'null')))
  ) AS day,
  json ->> '$.package' AS package,
  CAST(json AS VARCHAR) AS record
FROM read_json_objects(
  $json, format => 'newline_delimited', filename => true, hive_partitioning => false
)
