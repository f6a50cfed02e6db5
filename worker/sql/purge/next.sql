-- The next block of a purged batch is taken away.
SELECT docmill_purge(%(batch)s, %(most)s) AS n
