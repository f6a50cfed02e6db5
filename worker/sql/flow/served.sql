-- The queues of these engines that some worker is at.
SELECT DISTINCT l.queue
FROM lines l CROSS JOIN LATERAL (SELECT FROM leases WHERE line_id = l.id LIMIT 1) something
WHERE l.engine = ANY (%(engines)s)
