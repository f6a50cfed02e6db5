SELECT name, count(*) AS rows, count(*) FILTER (WHERE split = 'train') AS train,
       count(*) FILTER (WHERE split = 'held') AS held, count(DISTINCT document) AS documents,
       count(*) FILTER (WHERE local_only) AS local_only,
       count(*) FILTER (WHERE job_id IS NULL) AS kept,
       array_agg(DISTINCT task) AS tasks, array_agg(DISTINCT licence) AS licences
FROM gold GROUP BY name ORDER BY name
