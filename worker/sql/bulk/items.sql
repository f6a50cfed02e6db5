-- The next jobs that stand in a bulk, in the order of their calls.
SELECT job_id, call_id, request, request_key FROM bulk_jobs
WHERE bulk_id = %(id)s AND call_id > %(after)s ORDER BY call_id LIMIT %(most)s
