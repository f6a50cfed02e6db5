SELECT id, text, json_schema, checks FROM asks WHERE id = ANY (%(ids)s)
