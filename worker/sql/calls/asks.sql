SELECT id, text, json_schema FROM asks WHERE id = ANY (%(ids)s)
