UPDATE batches SET priority = :priority WHERE id = :batch RETURNING id
