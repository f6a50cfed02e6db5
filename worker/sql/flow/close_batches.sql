-- Of these batches those that have nothing left to do.
SELECT docmill_close_batches(%(ids)s) AS id
