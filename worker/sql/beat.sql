-- The feeder's sign of life.
INSERT INTO feeder (one, backend_pid, beat_at) VALUES (true, pg_backend_pid(), now())
ON CONFLICT (one) DO UPDATE SET backend_pid = excluded.backend_pid, beat_at = excluded.beat_at
