-- A leader whose connection is open but which gives no sign of life (a stopped process, a host that
-- lost its network) keeps the lock for ever: its connection is closed for it. Never one that is at
-- work: its beat is a statement of its own, so a connection that is active is merely slow.
SELECT pg_terminate_backend(l.pid)
FROM leader f
JOIN pg_locks l ON l.pid = f.backend_pid AND l.locktype = 'advisory' AND l.granted
JOIN pg_stat_activity a ON a.pid = l.pid AND a.state <> 'active'
WHERE f.beat_at < now() - %(silence_s)s * interval '1 second'
  AND l.objid = %(lock)s::bigint & 4294967295 AND l.database = (
      SELECT oid FROM pg_database WHERE datname = current_database())
