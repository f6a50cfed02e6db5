-- Take up to so many items of a queue and lease them to this worker. The highest priority first, and
-- in it the nearest deadline; of the lines that have both, up to eight are drawn by lot and share
-- alike, so that no batch waits behind a larger one. A claim whose answer was lost is repeated under
-- its own id, and finds what it took.
WITH mine AS MATERIALIZED (
    SELECT stage, item_id, line_id FROM leases WHERE claim = %(claim)s
), drawn AS MATERIALIZED (
    SELECT l.id, l.head, l.priority, l.deadline
    FROM (
        SELECT id, batch_id, head, priority, deadline FROM lines
        WHERE queue = %(queue)s AND open AND NOT EXISTS (SELECT FROM mine)
        ORDER BY priority DESC, deadline, random()
    ) l
    CROSS JOIN LATERAL (
        SELECT FROM batches WHERE id = l.batch_id AND state = 'running' LIMIT 1) running
    CROSS JOIN LATERAL (
        SELECT FROM waiting WHERE line_id = l.id AND xact >= l.head LIMIT 1) something
    LIMIT 8
), shares AS MATERIALIZED (
    SELECT id, head, ceil(%(most)s::numeric / count(*) OVER ())::bigint AS share
    FROM (
        SELECT id, head, rank() OVER (ORDER BY priority DESC, deadline) AS place FROM drawn
    ) ranked
    WHERE place = 1
), taken AS (
    DELETE FROM waiting
    WHERE ctid = ANY (ARRAY(
        SELECT next.ctid FROM shares s
        CROSS JOIN LATERAL (
            SELECT ctid FROM waiting WHERE line_id = s.id AND xact >= s.head
            ORDER BY xact, item_id LIMIT s.share
            FOR UPDATE SKIP LOCKED
        ) next
        LIMIT %(most)s))
    RETURNING line_id, item_id
), leased AS (
    INSERT INTO leases (stage, item_id, line_id, owner, claim, until)
    SELECT %(stage)s, item_id, line_id, %(owner)s, %(claim)s,
           now() + %(lease_s)s * interval '1 second'
    FROM taken ORDER BY item_id
    ON CONFLICT DO NOTHING
    RETURNING item_id, line_id
)
SELECT item_id, line_id FROM leased UNION ALL SELECT item_id, line_id FROM mine
