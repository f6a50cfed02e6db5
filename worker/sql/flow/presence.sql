-- A worker's sign of life: which engines it reaches, and what it does not ask at present. Gates that
-- somebody lifted come back.
WITH me AS (
    INSERT INTO workers (owner, pool, host, pid, configuration_id)
    VALUES (%(owner)s, %(pool)s, %(machine)s, %(pid)s, %(configuration)s)
    ON CONFLICT (owner) DO UPDATE
    SET seen_at = now(), configuration_id = excluded.configuration_id
), served AS (
    INSERT INTO servers (owner, engine, zone, kind, address, models, slots, in_use, max_slots)
    SELECT %(owner)s, s.* FROM jsonb_to_recordset(%(servers)s) AS s (
        engine text, zone text, kind text, address text, models text[], slots integer,
        in_use integer, max_slots integer)
    ON CONFLICT (owner, engine) DO UPDATE
    SET models = excluded.models, slots = excluded.slots, in_use = excluded.in_use,
        max_slots = excluded.max_slots, address = excluded.address
), shut AS (
    SELECT * FROM jsonb_to_recordset(%(gates)s) AS g (
        engine text, model text, code text, message text, lasting boolean, since timestamptz,
        until timestamptz)
), opened AS (
    DELETE FROM gates g WHERE g.owner = %(owner)s
        AND (g.engine, g.model) NOT IN (SELECT engine, model FROM shut)
), written AS (
    INSERT INTO gates (owner, engine, model, code, message, lasting, since, until)
    SELECT %(owner)s, * FROM shut
    ON CONFLICT (owner, engine, model) DO UPDATE
    SET code = excluded.code, message = excluded.message, lasting = excluded.lasting,
        since = excluded.since, until = excluded.until, lifted = false
)
SELECT g.engine, g.model FROM gates g WHERE g.owner = %(owner)s AND g.lifted
