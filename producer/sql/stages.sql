-- Where the jobs of a batch are on the path, and when the last few ended.
SELECT
    count(*) FILTER (WHERE state = 'pending') AS to_classify,
    count(*) FILTER (WHERE state = 'ready' AND queue = 'local') AS local_ready,
    count(*) FILTER (WHERE state = 'running' AND queue = 'local') AS local_running,
    count(*) FILTER (WHERE state = 'ready' AND queue = 'frontier') AS frontier_ready,
    count(*) FILTER (WHERE state = 'running' AND queue = 'frontier') AS frontier_running,
    count(*) FILTER (WHERE state IN ('done', 'failed', 'held', 'cancelled', 'skipped')) AS ended,
    count(*) FILTER (WHERE finished_at > now() - interval '20 seconds') AS recent,
    count(*) AS total
FROM jobs WHERE batch_id = :batch
