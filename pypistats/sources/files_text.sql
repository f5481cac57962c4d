-- The text in a JSON value. Casts would take numbers, lists and objects for text too.
CREATE TEMP MACRO json_text(value, field, path) AS
  CASE coalesce(json_type(value), 'NULL')
    WHEN 'VARCHAR' THEN value ->> '$'
    WHEN 'NULL' THEN NULL
    ELSE error(concat(path, ': ', field, ' is not a string: ', value))
  END
