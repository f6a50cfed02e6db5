-- Of these calls those that stand in a bulk.
SELECT b.job_id, b.call_id, b.request, b.request_key
FROM unnest(%(calls)s::uuid[]) AS c (call_id)
JOIN bulk_jobs b ON b.bulk_id = %(id)s AND b.call_id = c.call_id
