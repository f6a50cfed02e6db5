-- Rows of a set that may be trained on and whose text, or document, is held in some set.
WITH held AS (
    SELECT document, md5(lower(btrim(regexp_replace(text, '\s+', ' ', 'g')))) AS said
    FROM gold WHERE split = 'held'
)
SELECT g.id, g.source
FROM gold g
WHERE g.name = %(name)s AND g.split = 'train'
  AND (g.document IN (SELECT document FROM held)
       OR md5(lower(btrim(regexp_replace(g.text, '\s+', ' ', 'g')))) IN (SELECT said FROM held))
ORDER BY g.id
