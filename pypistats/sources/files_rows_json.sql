-- Rows of file_downloads in JSON lines: one row per download. No type is inferred, so it does not
-- matter how many lines a column is null for; what file_downloads requires must be there.
-- Parameter: json, the files.
SELECT
  coalesce(
    TRY_CAST(timestamp AS TIMESTAMPTZ),
    error(concat(filename, ': not a timestamp: ', coalesce(timestamp, 'null')))
  ) AS timestamp,
  coalesce(
    json_text(project, 'project', filename), error(filename || ': a row without a project')
  ) AS project,
  json_text(details.installer.name, 'details.installer.name', filename) AS installer,
  json_text(details.python, 'details.python', filename) AS python,
  json_text(details.system.name, 'details.system.name', filename) AS system,
  coalesce(
    json_text(file.version, 'file.version', filename),
    error(filename || ': a row without a file.version')
  ) AS version
FROM read_json(
  $json,
  format => 'newline_delimited',
  filename => true,
  hive_partitioning => false,
  columns => {
    timestamp: 'VARCHAR',
    project: 'JSON',
    file: 'STRUCT(version JSON)',
    details: 'STRUCT(installer STRUCT(name JSON), python JSON, system STRUCT(name JSON))'
  }
)
