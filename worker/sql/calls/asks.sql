SELECT id, text, json_schema, checks, important, place, examples, prompt FROM asks WHERE id = ANY (%(ids)s)
