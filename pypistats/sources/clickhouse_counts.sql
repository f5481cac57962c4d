-- How many rows ClickPy's table has of some packages, by UTC day, from its table of such sums.
-- Parameters: database; packages; since and until, both included.

SELECT
  date AS day,
  project AS package,
  sum(count) AS rows,
  count() OVER () AS all_rows
FROM {database:Identifier}.pypi_downloads_per_day
WHERE project IN {packages:Array(String)}
  AND date BETWEEN {since:Date} AND {until:Date}
GROUP BY day, package
FORMAT JSONCompactEachRowWithNames
