-- What the calls of this day (UTC) cost, with the upper bounds of those under way.
SELECT trim_scale(coalesce(sum(usd), 0)) FROM spend
WHERE zone = 'frontier' AND day = (now() AT TIME ZONE 'UTC')::date
