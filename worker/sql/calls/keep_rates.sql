-- What was learnt of models: whoever learnt last knows as much as others, who would not have told else.
-- In one order, for several processes write at a time.
INSERT INTO token_rates (model, script, mean, sd, cut)
SELECT model, script, mean, sd, cut
FROM jsonb_to_recordset(%(rows)s) AS r (model text, script text, mean double precision,
                                        sd double precision, cut double precision)
ORDER BY model, script
ON CONFLICT (model, script) DO UPDATE
SET mean = excluded.mean, sd = excluded.sd, cut = excluded.cut, learnt_at = now()
