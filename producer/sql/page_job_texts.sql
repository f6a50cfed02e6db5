-- The text that a job looks at: its chunk, or for a whole document the chunks that hold values
-- of the answer, then the first ones.
SELECT k.ordinal, k.page_from, k.page_to, k.char_start, k.text, count(*) OVER () AS pieces
FROM jobs j
JOIN chunks k ON k.document_id = j.document_id AND (j.chunk_id IS NULL OR k.id = j.chunk_id)
WHERE j.id = %(job)s
ORDER BY EXISTS (
    SELECT FROM answers w,
        jsonb_each(CASE WHEN jsonb_typeof(w.spans) = 'object' THEN w.spans END) s
    WHERE w.job_id = j.id AND (s.value->>0)::int < k.char_end AND (s.value->>1)::int > k.char_start
) DESC, k.ordinal
LIMIT %(most)s
