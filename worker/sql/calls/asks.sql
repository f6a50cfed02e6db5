SELECT id, text, json_schema, place FROM asks WHERE id = ANY (%(ids)s)
