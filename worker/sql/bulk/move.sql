-- A bulk is somewhere else, or was looked at in vain: what is known of it, and when to look next. `state`
-- NULL: where it is already. Only by
-- the worker that holds it. One that is empty before anything of it was sent never was.
WITH gone AS (
    DELETE FROM bulks WHERE id = %(id)s AND owner = %(owner)s AND requests = 0
        AND %(state)s = 'closed' RETURNING id
), moved AS (
    UPDATE bulks
    SET state = coalesce(%(state)s, state), upload = coalesce(%(upload)s, upload), remote = coalesce(%(remote)s, remote),
        done = coalesce(%(done)s, done), detail = %(detail)s,
        given_up = coalesce(%(given_up)s, given_up),
        tries = CASE WHEN state = coalesce(%(state)s, state) AND %(detail)s::text IS NOT NULL
                     THEN tries + 1 ELSE 0 END,
        due_at = now() + %(delay_s)s * interval '1 second',
        sent_at = CASE WHEN %(state)s = 'creating' AND state <> 'creating' THEN now() ELSE sent_at END,
        ended_at = CASE WHEN %(state)s IN ('fetched', 'closed') THEN coalesce(ended_at, now())
                        ELSE ended_at END,
        owner = CASE WHEN %(keep)s THEN owner END, until = CASE WHEN %(keep)s THEN until END
    WHERE id = %(id)s AND owner = %(owner)s
        AND (requests = 0 AND %(state)s = 'closed') IS NOT TRUE
    RETURNING id
)
SELECT id FROM gone UNION ALL SELECT id FROM moved
