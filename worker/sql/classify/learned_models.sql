-- Models of asks that this installation has trained.
SELECT id, weights FROM learned_models WHERE id = ANY (%(ids)s)
