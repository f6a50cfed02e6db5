-- What people make of answers. An answer itself is never written over: corrections are laid upon it.

CREATE FUNCTION docmill_corrected(of_job bigint, answered jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    each record;
    value jsonb := answered;
BEGIN
    FOR each IN SELECT path, new FROM corrections
                WHERE job_id = of_job AND ruling <> 'confirmed' ORDER BY id LOOP
        value := jsonb_set(value, each.path, each.new);
    END LOOP;
    RETURN value;
END $$;

COMMENT ON FUNCTION docmill_corrected IS 'a job''s answer with its corrections, in the order in which they were made';

CREATE FUNCTION docmill_rulings(of_job bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(field, jsonb_build_object(
        'ruling', ruling, 'by', reviewer,
        'at', to_char(made_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY id)
    FROM corrections WHERE job_id = of_job
$$;

COMMENT ON FUNCTION docmill_rulings IS 'what people made of the values of a job''s answer, the last about each; NULL: nothing';

-- A value that the checks call wrong nearly always is; one that they cannot tell is so less often,
-- and words that no rule can look up are mostly no harm. What a person has ruled on is none.
CREATE FUNCTION docmill_harm(of_job bigint, fields jsonb) RETURNS double precision
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE
        WHEN f.found->>'outcome' = 'wrong' THEN 1
        WHEN f.found->>'code' IN ('conflict', 'qualified', 'part', 'ambiguous', 'misread', 'missed')
            THEN 0.5
        WHEN f.found->>'code' IN ('computed', 'reworded') THEN 0.1
        ELSE 0.3 END), 0)
    FROM jsonb_each(CASE WHEN jsonb_typeof(fields) = 'object' THEN fields END) AS f (field, found)
    WHERE f.found->>'outcome' IN ('check', 'wrong')
      AND NOT EXISTS (
          SELECT FROM corrections c
          WHERE c.job_id = of_job
            AND (c.field = f.field OR starts_with(f.field, c.field || '.')))
$$;

COMMENT ON FUNCTION docmill_harm IS 'how many wrong values are to be expected in an answer, by what the checks say of each';

-- An answer with a value to look at goes into the line of its batch.
CREATE FUNCTION docmill_answers_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reviews (job_id, batch_id, harm)
    SELECT m.job_id, j.batch_id, h.harm
    FROM made m
    CROSS JOIN LATERAL (SELECT docmill_harm(m.job_id, m.fields) AS harm) h
    CROSS JOIN LATERAL (SELECT batch_id, parent_id FROM jobs WHERE id = m.job_id OFFSET 0) j
    WHERE h.harm > 0 AND j.parent_id IS NULL
    ON CONFLICT (job_id) DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER reviews_follow AFTER INSERT ON answers REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION docmill_answers_made();

-- It leaves the line when all such values have been ruled on, whichever door that came through.
CREATE FUNCTION docmill_corrections_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH rest AS MATERIALIZED (
        SELECT r.job_id, docmill_harm(r.job_id, w.fields) AS harm
        FROM reviews r JOIN answers w ON w.job_id = r.job_id
        WHERE r.job_id IN (SELECT job_id FROM made)
    ), done AS (
        DELETE FROM reviews WHERE job_id IN (SELECT job_id FROM rest WHERE harm = 0)
    )
    UPDATE reviews r SET harm = rest.harm FROM rest WHERE r.job_id = rest.job_id AND rest.harm > 0;
    RETURN NULL;
END $$;

CREATE TRIGGER reviews_end AFTER INSERT ON corrections REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION docmill_corrections_made();

INSERT INTO reviews (job_id, batch_id, harm)
SELECT w.job_id, j.batch_id, h.harm
FROM answers w
JOIN jobs j ON j.id = w.job_id AND j.parent_id IS NULL
CROSS JOIN LATERAL (SELECT docmill_harm(w.job_id, w.fields) AS harm) h
WHERE w.fields IS NOT NULL AND h.harm > 0;
