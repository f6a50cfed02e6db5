-- What train rows of a gold set were asked, that rows may be shown as examples: the words that are named,
-- where there are such, and a few of the others.
SELECT ask, md5(ask) = md5(%(ask)s) AS is_same
FROM gold
WHERE name = %(name)s AND split = 'train'
GROUP BY ask
ORDER BY is_same DESC, count(*) DESC LIMIT 4
