-- The next block of the batch that is due for longest, one whose purge was broken off among them.
SELECT docmill_purge(id, %(most)s) AS n
FROM (SELECT id FROM batches WHERE purge_at <= now() AND state = 'purged'
      ORDER BY purge_at LIMIT 1) due
