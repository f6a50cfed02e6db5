-- A numbered configuration; without a number the one that counts.
SELECT id, settings FROM configurations
WHERE %(number)s::bigint IS NULL OR id = %(number)s ORDER BY id DESC LIMIT 1
