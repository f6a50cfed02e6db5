-- What the calls of this day (UTC) cost, with the upper bounds of those under way.
SELECT trim_scale(coalesce(sum(coalesce(cost_usd, reserved_usd)), 0))
FROM calls WHERE tier = 'frontier' AND started_at >= date_trunc('day', now(), 'UTC')
