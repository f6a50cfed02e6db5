-- Give back all that a claim took: its worker cannot make use of it now.
WITH freed AS (
    DELETE FROM leases WHERE claim = %(claim)s RETURNING line_id, item_id
)
INSERT INTO delayed (line_id, item_id, due_at)
SELECT line_id, item_id, now() + %(delay_s)s::float8 * interval '1 second' FROM freed
ON CONFLICT (line_id, item_id) DO UPDATE SET due_at = excluded.due_at
