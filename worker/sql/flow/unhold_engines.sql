-- An engine that some living worker can ask again is held no more, nor one that nobody serves.
DELETE FROM holds h
WHERE h.code = 'engine' AND NOT EXISTS (
    SELECT FROM gates g WHERE g.engine = h.engine AND g.lasting
      AND (g.model = '' OR g.model = h.model)
) OR h.code = 'engine' AND EXISTS (
    SELECT FROM servers s
    WHERE s.engine = h.engine AND (h.model IS NULL OR h.model = ANY (s.models)) AND NOT EXISTS (
        SELECT FROM gates g WHERE g.owner = s.owner AND g.engine = h.engine AND g.lasting
          AND (g.model = '' OR g.model = h.model)))
