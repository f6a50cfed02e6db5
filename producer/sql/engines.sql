-- Who serves which model of which engine, and what its calls came to of late: the last 20,000 that
-- were settled, and no older than a day, so that it costs the same however many there are.
WITH served AS (
    SELECT s.engine, s.zone, model, array_agg(DISTINCT s.address ORDER BY s.address) AS addresses,
           count(*) AS workers, sum(s.slots) AS slots, sum(s.in_use) AS in_use
    FROM servers s JOIN workers w ON w.owner = s.owner AND w.seen_at > now() - interval '1 minute'
    CROSS JOIN LATERAL unnest(s.models) AS model
    GROUP BY s.engine, s.zone, model
), shut AS (
    SELECT g.engine, v.model, count(*) AS workers, min(g.code) AS code
    FROM gates g JOIN served v ON v.engine = g.engine AND g.model IN ('', v.model)
    GROUP BY g.engine, v.model
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
           sum(cost_usd) * 1000000 / nullif(sum(tokens) FILTER (WHERE cost_usd IS NOT NULL), 0)
               AS usd_per_mtok,
           sum(would_have_cost_usd) * 1000000
               / nullif(sum(tokens) FILTER (WHERE would_have_cost_usd IS NOT NULL), 0)
               AS frontier_usd_per_mtok,
           sum(tokens) / greatest(extract(epoch FROM now() - min(started_at)) / 3600, 1)
               AS tokens_per_hour
    FROM recent GROUP BY engine, zone, model
)
SELECT engine, zone, model, coalesce(v.addresses, '{}') AS addresses,
       coalesce(v.workers, 0) AS workers, coalesce(v.slots, 0) AS slots,
       coalesce(v.in_use, 0) AS in_use, s.code, coalesce(s.workers, 0) AS shut_at,
       coalesce(m.calls, 0) AS calls, m.tokens_per_second, m.usd_per_mtok, m.frontier_usd_per_mtok,
       m.tokens_per_hour,
       (c.settings #>> ARRAY['engines', engine, 'usd_per_hour'])::numeric AS usd_per_hour
FROM served v FULL JOIN measured m USING (engine, zone, model)
LEFT JOIN shut s USING (engine, model)
LEFT JOIN (SELECT settings FROM configurations ORDER BY id DESC LIMIT 1) c ON true
ORDER BY zone DESC, engine, model
