-- Holds whose moment has come.
DELETE FROM holds WHERE until <= now() RETURNING id
