-- Try to become the leader: one session at a time holds this lock, and loses it when it dies.
SELECT pg_try_advisory_lock(%(lock)s) AS leads
