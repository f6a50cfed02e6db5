-- Turns that count against one batch's cap on second readings take turns: what follows in this
-- transaction then sees all that were let through before it.
SELECT id FROM batches WHERE id = ANY (%(batches)s) ORDER BY id FOR NO KEY UPDATE
