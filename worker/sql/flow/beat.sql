-- The leader's sign of life.
INSERT INTO leader (one, backend_pid, beat_at) VALUES (true, pg_backend_pid(), now())
ON CONFLICT (one) DO UPDATE SET backend_pid = excluded.backend_pid, beat_at = excluded.beat_at
