-- Fold changes of spend into one row for each batch, day and zone.
WITH gone AS (
    DELETE FROM spend WHERE id = ANY (ARRAY(
        SELECT id FROM spend WHERE NOT folded AND id > %(after)s
        ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED))
    RETURNING *
), kept AS (
    INSERT INTO spend (batch_id, day, zone, usd, known_usd, under_way, calls, unknown, lost, folded)
    SELECT batch_id, day, zone, sum(usd), sum(known_usd), sum(under_way), sum(calls), sum(unknown),
           sum(lost), true
    FROM gone GROUP BY 1, 2, 3
    ON CONFLICT (batch_id, day, zone) WHERE folded DO UPDATE
    SET usd = spend.usd + excluded.usd, known_usd = spend.known_usd + excluded.known_usd,
        under_way = spend.under_way + excluded.under_way, calls = spend.calls + excluded.calls,
        unknown = spend.unknown + excluded.unknown, lost = spend.lost + excluded.lost
)
SELECT max(id) AS last, count(*) AS n FROM gone
