-- How the other living workers stand to the engines that this one reaches, where they reach them at the
-- same address. What is on the machine itself has the same address on every machine.
SELECT m.engine, s.owner, coalesce(g.code, 'open') AS standing
FROM servers m
JOIN workers me ON me.owner = m.owner
JOIN servers s ON s.address = m.address AND s.owner <> m.owner
JOIN workers w ON w.owner = s.owner AND w.seen_at > now() - %(silence_s)s * interval '1 second'
LEFT JOIN gates g ON g.owner = s.owner AND g.engine = s.engine AND g.model = ''
    AND g.code = ANY (%(standings)s)
WHERE m.owner = %(owner)s
  AND (w.host = me.host OR m.address !~ '^(embedded$|localhost|127\.|\[::1\])')
