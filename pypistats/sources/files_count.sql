-- Counts downloads by the rules on the FAQ page: one row per package, day, dimension and category,
-- a package's day in one piece. Stands after a CTE `downloads` made of files_rows_*.sql, in a
-- session whose time zone is UTC.
-- Parameters: since and until (both inclusive), packages (NULL means all), mirrors, systems,
-- name_max_length, versions_kept, categories_kept.
counted AS (
  SELECT
    CAST(timestamp AS DATE) AS day,
    project AS package,
    coalesce(NOT list_contains($mirrors, installer), false) AS direct,
    coalesce(installer, 'null') AS installer,
    if(python IS NULL, 'null', regexp_extract(python, '^[0-9]+\.[0-9]+')) AS python_minor,
    CASE
      WHEN system IS NULL THEN 'null'
      WHEN list_contains($systems, system) THEN system
      ELSE 'other'
    END AS system,
    coalesce(version, 'null') AS version,
    count(*) AS downloads
  FROM downloads
  WHERE timestamp >= CAST($since AS TIMESTAMPTZ)
    AND timestamp < CAST($until + INTERVAL 1 DAY AS TIMESTAMPTZ)
    AND ($packages IS NULL OR project IN (SELECT unnest(CAST($packages AS VARCHAR[]))))
    AND length(project) <= $name_max_length
    AND regexp_full_match(project, '[a-z0-9](-?[a-z0-9])*')
    AND (python IS NULL OR regexp_matches(python, '^[0-9]\.[0-9]+.{0,}$'))
  GROUP BY ALL
),
-- One row per category; mirrors and unknown installers count as installers and nowhere else.
split AS (
  SELECT day, package, dimension, category, sum(downloads) AS downloads
  FROM (
    UNPIVOT counted ON python_minor, system, installer, version
    INTO NAME dimension VALUE category
  )
  WHERE direct OR dimension = 'installer'
  GROUP BY ALL
),
ranked AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY day, package, dimension ORDER BY downloads DESC, category
    ) AS place
  FROM split
),
-- Grouped again, because a category can be called `other` itself.
kept AS (
  SELECT
    day,
    package,
    dimension,
    if(
      place <= if(dimension = 'version', $versions_kept, $categories_kept), category, 'other'
    ) AS label,
    CAST(sum(downloads) AS BIGINT) AS downloads
  FROM ranked
  GROUP BY ALL
)
-- Sorted, not gathered into lists: a sort goes to disk when memory is short, lists don't.
SELECT day, package, dimension, label, downloads
FROM kept
ORDER BY day, package
