-- The queues in which something waits to be taken; bulks are gathered without a message. The recursive
-- part jumps from queue to queue through the index instead of reading every line.
WITH RECURSIVE queues AS (
    SELECT min(queue) AS queue FROM lines WHERE open
    UNION ALL
    SELECT (SELECT min(l.queue) FROM lines l WHERE l.open AND l.queue > q.queue)
    FROM queues q WHERE q.queue IS NOT NULL
)
SELECT q.queue FROM queues q
WHERE (
    SELECT true FROM lines l
    CROSS JOIN LATERAL (
        SELECT FROM waiting w WHERE w.line_id = l.id AND w.xact >= l.head LIMIT 1) something
    WHERE l.queue = q.queue AND l.open AND l.stage <> 'bulk' LIMIT 1)
