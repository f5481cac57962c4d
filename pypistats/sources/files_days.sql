-- Chooses package days, as `chosen`. Stands after a CTE `days` made of files_days_*.sql.
-- Parameters: since and until (both inclusive), packages (NULL means all).
chosen AS (
  SELECT filename, day, package, record
  FROM days
  WHERE day BETWEEN $since AND $until
    AND ($packages IS NULL OR package IN (SELECT unnest(CAST($packages AS VARCHAR[]))))
)
