-- Open or close the next few lines, in turn. One that was made in the moment in which a hold began or
-- ended may not have seen it. Says which line it came to; none: it was through.
WITH looked AS (
    SELECT id FROM lines WHERE id > %(after)s ORDER BY id LIMIT 32
)
SELECT max(id) AS last, docmill_refresh(array_agg(id)) FROM looked
