SELECT id, text, json_schema, checks, important, place FROM asks WHERE id = ANY (%(ids)s)
