SELECT p.batch, p.name, p.state, p.policy, p.priority, p.documents, p.documents_waiting, p.jobs,
       p.pending + p.ready + p.running AS open, p.done, p.failed, p.held,
       p.created_at, p.finished_at, docmill_submit_state(p.batch) AS submit
FROM batch_progress p ORDER BY p.batch DESC
