-- Verdicts of the classify step go when they are as old as texts are kept.
DELETE FROM classifications WHERE key = ANY (ARRAY(
    SELECT key FROM classifications
    WHERE task IS NOT NULL AND since < now() - interval '1 day' * (
        SELECT (settings #>> '{retention,days}')::integer FROM configurations
        ORDER BY id DESC LIMIT 1)
    ORDER BY since LIMIT %(most)s))
