-- What a budget does not cover stands still: one row about the batch, or about the day.
INSERT INTO holds (batch_id, zone, model, code, about, until, passing)
SELECT h.batch_id, 'frontier', h.model, h.code, h.about,
       CASE WHEN h.code = 'day_budget'
            THEN date_trunc('day', now(), 'UTC') + interval '1 day'
            ELSE now() + h.delay_s * interval '1 second' END,
       h.delay_s IS NOT NULL
FROM jsonb_to_recordset(%(rows)s)
    AS h (batch_id bigint, model text, code text, about jsonb, delay_s double precision)
ON CONFLICT (batch_id, zone, engine, model, code) DO NOTHING
