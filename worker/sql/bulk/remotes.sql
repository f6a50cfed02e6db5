-- Of these batches of a provider those that are known as somebody's.
SELECT remote FROM bulks WHERE host = %(host)s AND remote IS NOT NULL AND remote = ANY (%(remotes)s)
