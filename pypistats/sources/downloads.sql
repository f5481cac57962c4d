-- Downloads by package and UTC day, one row each: two totals, and four maps as JSON text.
--
-- The table is read once, in `counted`; all that follows works on counts. The bare columns in its
-- WHERE let BigQuery skip days (partitions of `timestamp`) and packages (clusters of `project`).
-- Parameters: since and before, the first instant in and the first out; mirrors, the installers
-- that copy for others; systems, those with a category of their own; versions_kept and
-- categories_kept, how many categories a map keeps.

WITH counted AS (
  SELECT
    DATE(timestamp, 'UTC') AS day,
    project AS package,
    details.installer.name AS installer,
    REGEXP_EXTRACT(details.python, r'^[0-9]+\.[0-9]+') AS python_minor,
    details.system.name AS system,
    file.version AS version,
    COUNT(*) AS downloads
  FROM `bigquery-public-data.pypi.file_downloads`
  WHERE timestamp >= @since
    AND timestamp < @before
    -- package filter
    AND LENGTH(project) <= 128
    AND REGEXP_CONTAINS(project, r'^[a-z0-9](-?[a-z0-9])*$')
    AND (details.python IS NULL OR REGEXP_CONTAINS(details.python, r'^[0-9]\.[0-9]+.{0,}$'))
  GROUP BY day, package, installer, python_minor, system, version
),

-- Each count four times, once for each map. Mirrors and unknown installers are in one map only.
cells AS (
  SELECT
    day,
    package,
    cell.dimension,
    cell.category,
    SUM(downloads) AS downloads
  FROM counted
  CROSS JOIN UNNEST([
    STRUCT('installer' AS dimension, COALESCE(installer, 'null') AS category),
    STRUCT('python_minor', COALESCE(python_minor, 'null')),
    STRUCT('system', IF(system IN UNNEST(@systems), system, IF(system IS NULL, 'null', 'other'))),
    STRUCT('version', COALESCE(version, 'null'))
  ]) AS cell
  WHERE cell.dimension = 'installer'
    OR (installer IS NOT NULL AND installer NOT IN UNNEST(@mirrors))
  GROUP BY day, package, dimension, category
),

-- The tail of each map under one name, which a category may bear itself: grouped once more.
labelled AS (
  SELECT
    day,
    package,
    dimension,
    IF(
      ROW_NUMBER() OVER (PARTITION BY day, package, dimension ORDER BY downloads DESC, category)
        <= IF(dimension = 'version', @versions_kept, @categories_kept),
      category,
      'other'
    ) AS label,
    downloads
  FROM cells
),

entries AS (
  SELECT
    day,
    package,
    dimension,
    SUM(downloads) AS downloads,
    CONCAT(TO_JSON_STRING(label), ':', CAST(SUM(downloads) AS STRING)) AS entry
  FROM labelled
  GROUP BY day, package, dimension, label
)

SELECT
  day,
  package,
  SUM(IF(dimension = 'installer', downloads, 0)) AS with_mirrors,
  SUM(IF(dimension = 'system', downloads, 0)) AS without_mirrors,
  CONCAT('{', IFNULL(STRING_AGG(IF(dimension = 'python_minor', entry, NULL)), ''), '}')
    AS python_minor,
  CONCAT('{', IFNULL(STRING_AGG(IF(dimension = 'system', entry, NULL)), ''), '}') AS system,
  CONCAT('{', IFNULL(STRING_AGG(IF(dimension = 'installer', entry, NULL)), ''), '}') AS installer,
  CONCAT('{', IFNULL(STRING_AGG(IF(dimension = 'version', entry, NULL)), ''), '}') AS version
FROM entries
GROUP BY day, package
