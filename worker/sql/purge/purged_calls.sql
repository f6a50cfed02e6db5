-- Which of these calls belong to no job any more.
SELECT g.id FROM unnest(%(ids)s::uuid[]) AS g (id)
WHERE NOT EXISTS (SELECT FROM calls c WHERE c.id = g.id AND c.job_id IS NOT NULL)
