-- Who accepts a list says that it has all its items, and nothing of them: a ruling `confirmed` is about
-- its own path alone. One that puts another value in its place is about all that stood there.

CREATE OR REPLACE FUNCTION docmill_harm(of_job bigint, fields jsonb) RETURNS double precision
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(docmill_doubt(f.found)), 0)
    FROM jsonb_each(CASE WHEN jsonb_typeof(fields) = 'object' THEN fields END) AS f (field, found)
    WHERE NOT EXISTS (
        SELECT FROM corrections c
        WHERE c.job_id = of_job
          AND (c.field = f.field
               OR c.ruling <> 'confirmed' AND starts_with(f.field, c.field || '.')))
$$;

-- answers that left the line because a list of theirs was accepted come back
INSERT INTO reviews (job_id, batch_id, harm)
SELECT w.job_id, j.batch_id, h.harm
FROM (SELECT DISTINCT job_id FROM corrections
      WHERE ruling = 'confirmed' AND jsonb_typeof(new) IN ('array', 'object')) c
JOIN answers w ON w.job_id = c.job_id
JOIN jobs j ON j.id = w.job_id AND j.parent_id IS NULL
CROSS JOIN LATERAL (SELECT docmill_harm(w.job_id, w.fields) AS harm) h
WHERE w.fields IS NOT NULL AND h.harm > 0
ON CONFLICT (job_id) DO NOTHING;
