UPDATE tuned_models SET served_at = now(), anyway = %(anyway)s WHERE id = %(model)s
RETURNING id
