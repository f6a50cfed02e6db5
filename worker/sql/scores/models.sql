-- Models of scores that this installation has fitted.
SELECT id, model FROM score_models WHERE id = ANY (%(ids)s)
