WITH gone AS (DELETE FROM gold WHERE name = %(name)s RETURNING id) SELECT count(*) AS rows FROM gone
