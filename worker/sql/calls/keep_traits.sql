-- What was found out of a model: who found it out last has it from the same weights, and knows as much.
INSERT INTO model_traits (key, traits) VALUES (%(key)s, %(traits)s)
ON CONFLICT (key) DO UPDATE SET traits = excluded.traits, found_at = now()
