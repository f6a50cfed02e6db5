-- Claims against the budget of a day take turns, whichever batch they are for.
SELECT pg_advisory_xact_lock(%(lock)s)
