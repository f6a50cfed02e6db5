-- The ledger in partitions, one for each month (UTC) in which calls were begun. A call's id begins
-- with its time (a UUID of version 7), so the id alone says which partition it stands in.

CREATE FUNCTION docmill_call_id(
    at timestamptz DEFAULT clock_timestamp(), seed uuid DEFAULT gen_random_uuid()
) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    -- 48 bits of milliseconds, then the seed; the two bits make its version 4 a 7
    SELECT encode(set_bit(set_bit(
        substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3)
        || substring(uuid_send(seed) FROM 7), 52, 1), 53, 1), 'hex')::uuid
$$;

COMMENT ON FUNCTION docmill_call_id IS 'the id of a call that begins at that time';

CREATE FUNCTION docmill_first_id(at timestamptz) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT encode(substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3)
        || '\x00000000000000000000'::bytea, 'hex')::uuid
$$;

COMMENT ON FUNCTION docmill_first_id IS 'no call that began at that time or later has a smaller id';

CREATE FUNCTION docmill_make_month(at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    month timestamptz := date_trunc('month', at, 'UTC');
    name text := 'calls_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF calls FOR VALUES FROM (%L) TO (%L)', name,
        docmill_first_id(month), docmill_first_id(date_trunc('month', month + interval '32 days', 'UTC')));
    -- A unique key of the whole ledger would have to hold the id. The calls under way are of this
    -- month but for its first moments, for which run/reserve.sql looks into the month before.
    EXECUTE format(
        'CREATE UNIQUE INDEX %I ON %I (answer_key) '
        'WHERE state = ''reserved'' AND answer_key IS NOT NULL',
        'uq_' || name || '_answer_under_way', name);
    RETURN true;
EXCEPTION
    WHEN check_violation THEN  -- calls of it stand in calls_other already, and stay there
        RETURN false;
    WHEN duplicate_table THEN  -- another made it meanwhile
        RETURN false;
END $$;

COMMENT ON FUNCTION docmill_make_month IS 'makes the partition of a month; false: there is one';

CREATE FUNCTION docmill_make_months() RETURNS integer LANGUAGE sql
-- Whoever feeds the queues calls this, and may have no other right to make tables. It waits less
-- for a lock than Postgres does before it looks for deadlocks: no worker's work is ended for it, only
-- held up for as long.
SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
    SELECT count(*) FILTER (WHERE docmill_make_month(
        date_trunc('month', now(), 'UTC') + month * interval '1 month'))::integer
    FROM generate_series(0, 2) month
$$;

DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION docmill_make_months() SET search_path = %I, pg_temp', current_schema());
END $$;
REVOKE EXECUTE ON FUNCTION docmill_make_months() FROM PUBLIC;

COMMENT ON FUNCTION docmill_make_months IS 'makes the partitions of this month and the next two; how many it made';

-- The ledger's money, summed up where it changes: every statement that reserves, settles, loses or
-- drops calls adds what that came to to `spend`, in the same transaction.

CREATE TYPE docmill_amount AS (
    sign integer, batch_id bigint, began timestamptz, zone text, state text,
    cost_usd numeric, reserved_usd numeric);

CREATE FUNCTION docmill_add_spend(amounts docmill_amount[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO spend (batch_id, day, zone, usd, known_usd, under_way, calls, unknown, lost)
    SELECT * FROM (
        SELECT batch_id, (began AT TIME ZONE 'UTC')::date AS day, zone,
               sum(sign * coalesce(cost_usd, reserved_usd, 0)) AS usd,
               sum(sign * CASE WHEN state IN ('reserved', 'reused') THEN 0
                               ELSE coalesce(cost_usd, 0) END) AS known_usd,
               sum(sign * (state = 'reserved' AND coalesce(reserved_usd, 0) > 0)::int) AS under_way,
               sum(sign * (state NOT IN ('reserved', 'reused'))::int) AS calls,
               sum(sign * (state <> 'reserved' AND cost_usd IS NULL)::int) AS unknown,
               sum(sign * (state = 'lost')::int) AS lost
        FROM unnest(amounts)
        GROUP BY 1, 2, 3) s
    WHERE (usd, known_usd, under_way, calls, unknown, lost) <> (0, 0, 0, 0, 0, 0)
$$;

COMMENT ON FUNCTION docmill_add_spend IS 'adds rows of the ledger (sign 1) or takes them back (-1)';

CREATE FUNCTION docmill_calls_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    amounts docmill_amount[] := '{}';
BEGIN
    IF TG_OP <> 'DELETE' THEN
        amounts := ARRAY(
            SELECT (1, batch_id, started_at, zone, state, cost_usd, reserved_usd)::docmill_amount
            FROM changed);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        amounts := amounts || ARRAY(
            SELECT (-1, batch_id, started_at, zone, state, cost_usd, reserved_usd)::docmill_amount
            FROM before
            -- a call that was not made never was; one that is purged leaves its money behind
            WHERE TG_OP = 'UPDATE' OR state = 'reserved');
    END IF;
    PERFORM docmill_add_spend(amounts);
    RETURN NULL;
END $$;

CREATE TRIGGER spend_made AFTER INSERT ON calls REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_calls_changed();
CREATE TRIGGER spend_changed AFTER UPDATE ON calls
REFERENCING OLD TABLE AS before NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_calls_changed();
CREATE TRIGGER spend_gone AFTER DELETE ON calls REFERENCING OLD TABLE AS before
FOR EACH STATEMENT EXECUTE FUNCTION docmill_calls_changed();

-- Calls that were reserved and never made. Whoever gave them up as lost meanwhile did not know that:
-- then they count as under way once more, until they are gone.
CREATE FUNCTION docmill_drop_calls(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE calls
    SET state = 'reserved', finished_at = NULL, cost_usd = NULL, cost_reason = NULL, answer_key = NULL
    WHERE id = ANY (ids) AND state = 'lost';
    -- Said as what they are not: the index of what is reserved looks so short that all of it would
    -- be read.
    DELETE FROM calls
    WHERE id = ANY (ids) AND state NOT IN ('settled', 'refused', 'lost', 'reused');
END $$;

COMMENT ON FUNCTION docmill_drop_calls IS 'takes calls that were never made out of the ledger and its sums';
