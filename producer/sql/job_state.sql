-- Why a job has no answer to correct.
SELECT s.state, j.parent_id FROM jobs j JOIN job_states s ON s.id = j.id WHERE j.id = %(job)s
