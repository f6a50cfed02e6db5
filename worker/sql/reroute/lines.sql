-- The lines of a batch in which jobs wait, and up to where to look: what is put there later goes by the
-- new configuration already.
SELECT id, stage, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS before
FROM lines WHERE batch_id = %(batch)s AND stage IN ('classify', 'run', 'bulk')
