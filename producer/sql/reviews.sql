-- What is to be reviewed of a batch, the worst first.
SELECT r.job_id AS job, d.path AS document, k.page_from, k.page_to, a.label AS ask, r.harm, r.skips,
       a.json_schema AS schema, w.fields, docmill_corrected(r.job_id, w.value) AS value, docmill_rulings(r.job_id) AS rulings,
       CASE WHEN r.until > now() THEN r.reviewer END AS claimed_by,
       CASE WHEN r.until > now() THEN r.until END AS until
FROM (SELECT * FROM reviews WHERE batch_id = %(batch)s
      ORDER BY skips, harm DESC, job_id LIMIT %(most)s) r
JOIN jobs j ON j.id = r.job_id
JOIN documents d ON d.id = j.document_id
JOIN asks a ON a.id = j.ask_id
JOIN answers w ON w.job_id = r.job_id
LEFT JOIN chunks k ON k.id = j.chunk_id
ORDER BY r.skips, r.harm DESC, r.job_id
