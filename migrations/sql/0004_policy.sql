-- The key from jobs holds the policy of a batch that has jobs; this holds it before there are any.
CREATE FUNCTION docmill_policy_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the policy of batch % cannot be changed', OLD.id
        USING ERRCODE = 'check_violation', HINT = 'submit its documents again with the other policy';
END $$;

CREATE TRIGGER policy_stays BEFORE UPDATE OF local_only ON batches
FOR EACH ROW WHEN (OLD.local_only IS DISTINCT FROM NEW.local_only)
EXECUTE FUNCTION docmill_policy_stays();
