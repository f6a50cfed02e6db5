-- An eval's batch holds copies of texts. Where what they were copied from goes (a purge, a gold set that is
-- removed), its rows go by their keys, and the copies follow: the batch is purged as soon as it is over.

CREATE FUNCTION docmill_eval_rows_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE evals e SET source_gone = true
    FROM batches b
    WHERE e.id IN (SELECT eval_id FROM gone) AND NOT e.source_gone
      AND b.id = e.batch_id AND b.state <> 'purged';
    UPDATE batches SET purge_at = now()
    WHERE id IN (SELECT e.batch_id FROM evals e WHERE e.id IN (SELECT eval_id FROM gone))
      AND state IN ('finished', 'cancelled') AND (purge_at IS NULL OR purge_at > now());
    RETURN NULL;
END $$;

CREATE TRIGGER evals_follow AFTER DELETE ON eval_rows REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION docmill_eval_rows_gone();

CREATE FUNCTION docmill_eval_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM evals WHERE batch_id = NEW.id AND source_gone) THEN
        NEW.purge_at := now();
    END IF;
    RETURN NEW;
END $$;

-- what ends a batch says when it is purged: here that is at once
CREATE TRIGGER evals_end BEFORE UPDATE OF finished_at ON batches
FOR EACH ROW WHEN (NEW.state IN ('finished', 'cancelled')) EXECUTE FUNCTION docmill_eval_ended();
