SELECT id, text, json_schema, important FROM asks WHERE id = ANY (%(ids)s)
