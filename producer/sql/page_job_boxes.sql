-- The last page of a job's document that begins before a character of its text, of those whose words have
-- boxes, with the chunks that hold its text.
SELECT b.page, b.char_start, b.ratio, b.words, (
    SELECT jsonb_agg(jsonb_build_array(k.char_start, k.text) ORDER BY k.ordinal)
    FROM chunks k
    WHERE k.document_id = j.document_id AND k.page_from <= b.page AND k.page_to >= b.page
) AS pieces
FROM jobs j
CROSS JOIN LATERAL (
    SELECT * FROM page_boxes
    WHERE document_id = j.document_id AND char_start <= %(at)s
    ORDER BY page DESC LIMIT 1
) b
WHERE j.id = %(job)s
