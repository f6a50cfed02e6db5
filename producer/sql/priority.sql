UPDATE batches SET priority = %(priority)s WHERE id = %(batch)s RETURNING id
