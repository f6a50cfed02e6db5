-- Try to become the feeder: one session at a time holds this lock, and loses it when it dies.
SELECT pg_try_advisory_lock(%(lock)s) AS leads, pg_backend_pid() AS pid
