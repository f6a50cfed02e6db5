-- Triggers that run with every micro-batch do no more than its rows ask for.

-- How many wrong values are to be expected in one value: how likely it is wrong, its score says where
-- it has one; else what its check commonly means. None where it is not for review: it was accepted,
-- or, where nothing is to be accepted, the checks call it sure.
CREATE FUNCTION docmill_doubt(found jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN NOT coalesce(NOT (found->>'accepted')::boolean, found->>'outcome' IN ('check', 'wrong'))
            THEN 0
        WHEN found->>'confidence' IS NOT NULL
            THEN greatest(1 - (found->>'confidence')::double precision, 0.001)
        WHEN found->>'outcome' = 'wrong' THEN 1
        WHEN found->>'code' IN ('conflict', 'qualified', 'part', 'ambiguous', 'misread', 'missed')
            THEN 0.5
        WHEN found->>'code' IN ('computed', 'reworded') THEN 0.1
        ELSE 0.3 END
$$;

COMMENT ON FUNCTION docmill_doubt IS 'how likely a value is wrong, by what the checks say of it; 0: it is not for review';

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

-- Nobody has ruled on an answer that is made now, so its harm is that of its values: counted for all
-- answers at once, since a function called for each would cost as much as writing them.
CREATE OR REPLACE FUNCTION docmill_answers_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reviews (job_id, batch_id, harm)
    SELECT m.job_id, j.batch_id, m.harm
    FROM (
        SELECT made.job_id, sum(docmill_doubt(f.found)) AS harm
        FROM made
        CROSS JOIN jsonb_each(CASE WHEN jsonb_typeof(made.fields) = 'object' THEN made.fields END)
            AS f (field, found)
        GROUP BY made.job_id) m
    CROSS JOIN LATERAL (SELECT batch_id, parent_id FROM jobs WHERE id = m.job_id OFFSET 0) j
    WHERE m.harm > 0 AND j.parent_id IS NULL
    ON CONFLICT (job_id) DO NOTHING;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION docmill_jobs_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM made) THEN  -- most statements that may cut jobs into parts cut none
        RETURN NULL;
    END IF;
    INSERT INTO counts (batch_id, what, state, queue, n)
    SELECT batch_id, 'job', state, coalesce(docmill_queue(state, engine, model, bulk), ''), count(*)
    FROM made WHERE parent_id IS NULL
    GROUP BY 1, 3, 4;
    PERFORM docmill_enqueue(ARRAY(SELECT id FROM made WHERE state IN ('pending', 'ready')));
    RETURN NULL;
END $$;

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
