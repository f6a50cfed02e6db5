SELECT id, text, json_schema, checks, important FROM asks WHERE id = ANY (%(ids)s)
