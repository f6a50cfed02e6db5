-- Of these batches of a provider those that are known as somebody's.
SELECT remote FROM bulks WHERE remote IS NOT NULL AND remote = ANY (%(remotes)s)
