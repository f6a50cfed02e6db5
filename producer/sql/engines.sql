-- Who serves which model of which engine, and what its calls came to of late: the last 20,000 that
-- were settled, and no older than a day, so that it costs the same however many there are.
WITH alive AS MATERIALIZED (
    SELECT owner FROM workers WHERE seen_at > now() - interval '1 minute'
), served AS (
    SELECT s.engine, s.zone, model, array_agg(DISTINCT s.address ORDER BY s.address) AS addresses,
           count(*) AS workers, sum(s.slots) AS slots, sum(s.in_use) AS in_use
    FROM servers s JOIN alive USING (owner)
    CROSS JOIN LATERAL unnest(s.models) AS model
    GROUP BY s.engine, s.zone, model
), machines AS (
    SELECT engine, count(DISTINCT address) AS machines
    FROM servers JOIN alive USING (owner) GROUP BY engine
), shut AS (
    SELECT v.engine, v.model, count(DISTINCT g.owner) AS workers, min(g.code) AS code
    FROM gates g JOIN alive USING (owner)
    JOIN served v ON v.engine = g.engine AND g.model IN ('', v.model)
    GROUP BY v.engine, v.model
), recent AS MATERIALIZED (
    SELECT engine, zone, model_asked AS model, started_at, engine_seconds, output_tokens,
           input_tokens + output_tokens AS tokens, cost_usd, would_have_cost_usd
    FROM calls
    WHERE id >= docmill_first_id(now() - interval '1 day') AND state = 'settled'
    ORDER BY id DESC LIMIT 20000
), measured AS (
    SELECT engine, zone, model, count(*) AS calls,
           sum(output_tokens) FILTER (WHERE engine_seconds > 0)
               / nullif(sum(engine_seconds), 0) AS tokens_per_second,
           1000000 * sum(cost_usd) FILTER (WHERE tokens > 0)
               / nullif(sum(tokens) FILTER (WHERE cost_usd IS NOT NULL), 0) AS usd_per_mtok,
           1000000 * sum(would_have_cost_usd) FILTER (WHERE tokens > 0)
               / nullif(sum(tokens) FILTER (WHERE would_have_cost_usd IS NOT NULL), 0)
               AS frontier_usd_per_mtok
    FROM recent GROUP BY engine, zone, model
), whole AS (
    SELECT engine,
           sum(tokens) / greatest(extract(epoch FROM now() - min(started_at)) / 3600, 1)
               AS tokens_per_hour,
           1000000 * sum(would_have_cost_usd) FILTER (WHERE tokens > 0)
               / nullif(sum(tokens) FILTER (WHERE would_have_cost_usd IS NOT NULL), 0)
               AS frontier_usd_per_mtok
    FROM recent GROUP BY engine
)
SELECT engine, zone, model, coalesce(v.addresses, '{}') AS addresses,
       coalesce(v.workers, 0) AS workers, coalesce(v.slots, 0) AS slots,
       coalesce(v.in_use, 0) AS in_use, s.code, coalesce(s.workers, 0) AS shut_at,
       coalesce(m.calls, 0) AS calls, m.tokens_per_second, m.usd_per_mtok, m.frontier_usd_per_mtok,
       -- of the engine as a whole: its machines are paid whichever model they serve
       w.tokens_per_hour, coalesce(h.machines, 0) AS machines,
       (c.settings #>> ARRAY['engines', engine, 'usd_per_hour'])::numeric AS usd_per_hour,
       (c.settings #>> ARRAY['engines', engine, 'usd_per_hour'])::numeric
           * greatest(h.machines, 1) * 1000000 / nullif(w.frontier_usd_per_mtok, 0)
           AS break_even_tokens_per_hour
FROM served v FULL JOIN measured m USING (engine, zone, model)
LEFT JOIN shut s USING (engine, model)
LEFT JOIN machines h USING (engine)
LEFT JOIN whole w USING (engine)
LEFT JOIN (SELECT settings FROM configurations ORDER BY id DESC LIMIT 1) c ON true
ORDER BY zone DESC, engine, model
