INSERT INTO evals (kind, source, split, places)
VALUES (%(kind)s, %(source)s, %(split)s, %(places)s)
RETURNING id
