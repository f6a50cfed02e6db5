-- What was found out of a model. Two workers may find it out at once: both found the same.
INSERT INTO model_traits (key, traits) VALUES (%(key)s, %(traits)s) ON CONFLICT DO NOTHING
