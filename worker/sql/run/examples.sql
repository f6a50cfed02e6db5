-- Train rows of a gold set that were asked the same, to be shown as examples: never a held one. Of many
-- those with the lowest hashes, which is as good as drawn by lot, and the same every time.
SELECT id, encode(document, 'hex') AS document, text, value, local_only
FROM (
    SELECT id, document, text, value, local_only
    FROM gold
    WHERE name = %(gold)s AND task = %(task)s AND md5(ask) = md5(%(ask)s) AND split = 'train'
      AND octet_length(text) <= %(bytes)s
    ORDER BY key LIMIT %(most)s
) found
ORDER BY id
