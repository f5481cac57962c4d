-- Downloads of some packages by UTC day, one row each: the counts of downloads.sql from ClickPy's
-- table, which holds a row per download and '' where PyPI's has NULL.
--
-- The table is ordered by project and date, so only what is asked for is read. A server may stop
-- reading or answering and not say so: `read` is how many of the table's rows went into a row, and
-- `all_rows` how many rows the answer has.
-- Parameters: database; packages; since and until, both included; mirrors, the installers that copy
-- for others; systems, those with a category of their own; versions_kept and categories_kept, how
-- many categories a map keeps.

WITH

counted AS (
  SELECT
    date AS day,
    project AS package,
    toString(installer) AS installer_name,
    extract(python_minor, '^[0-9]+\\.[0-9]+') AS minor,
    toString(system) AS system_name,
    version AS release,
    python_minor = '' OR match(python_minor, '^[0-9]\\.[0-9]+[^\\n]*$') AS valid,
    count() AS rows
  FROM {database:Identifier}.pypi
  WHERE project IN {packages:Array(String)}
    AND date BETWEEN {since:Date} AND {until:Date}
  GROUP BY day, package, installer_name, minor, system_name, release, valid
),

-- Each count five times, once for each map and once for what was read. Mirrors and unknown
-- installers are in one map only.
cells AS (
  SELECT
    day,
    package,
    cell.1 AS dimension,
    cell.2 AS category,
    sum(rows) AS cell_rows
  FROM counted
  ARRAY JOIN [
    ('installer', if(installer_name = '', 'null', installer_name)),
    ('python_minor', if(minor = '', 'null', minor)),
    ('system', multiIf(
      system_name = '', 'null', has({systems:Array(String)}, system_name), system_name, 'other'
    )),
    ('version', release),
    ('read', '')
  ] AS cell
  WHERE dimension = 'read'
    OR (valid AND dimension = 'installer')
    OR (valid AND installer_name != '' AND NOT has({mirrors:Array(String)}, installer_name))
  GROUP BY day, package, dimension, category
),

ranked AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY day, package, dimension ORDER BY cell_rows DESC, category
    ) AS place
  FROM cells
),

-- The tail of each map under one name, which a category may bear itself: grouped once more.
labelled AS (
  SELECT
    day,
    package,
    dimension,
    if(
      place <= if(dimension = 'version', {versions_kept:UInt32}, {categories_kept:UInt32}),
      category,
      'other'
    ) AS label,
    sum(cell_rows) AS downloads
  FROM ranked
  GROUP BY day, package, dimension, label
)

SELECT
  day,
  package,
  sumIf(downloads, dimension = 'installer') AS with_mirrors,
  sumIf(downloads, dimension = 'system') AS without_mirrors,
  mapFromArrays(
    groupArrayIf(label, dimension = 'python_minor'),
    groupArrayIf(downloads, dimension = 'python_minor')
  ) AS python_minor,
  mapFromArrays(
    groupArrayIf(label, dimension = 'system'), groupArrayIf(downloads, dimension = 'system')
  ) AS system,
  mapFromArrays(
    groupArrayIf(label, dimension = 'installer'), groupArrayIf(downloads, dimension = 'installer')
  ) AS installer,
  mapFromArrays(
    groupArrayIf(label, dimension = 'version'), groupArrayIf(downloads, dimension = 'version')
  ) AS version,
  sumIf(downloads, dimension = 'read') AS read,
  count() OVER () AS all_rows
FROM labelled
GROUP BY day, package
FORMAT JSONCompactEachRowWithNames
