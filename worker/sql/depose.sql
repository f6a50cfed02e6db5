-- A feeder whose connection is open but which gives no sign of life (a stopped process, a host
-- that lost its network) keeps the lock for ever: its connection is closed for it.
SELECT pg_terminate_backend(l.pid)
FROM feeder f
JOIN pg_locks l ON l.pid = f.backend_pid AND l.locktype = 'advisory' AND l.granted
WHERE f.beat_at < now() - %(silence_s)s * interval '1 second'
  AND l.objid = %(lock)s::bigint & 4294967295 AND l.database = (
      SELECT oid FROM pg_database WHERE datname = current_database())
