-- Whether a worker process of this machine has lately said that its loops go round.
SELECT count(*) > 0 AS alive FROM workers
WHERE host = %(machine)s AND seen_at > now() - %(silence_s)s * interval '1 second'
