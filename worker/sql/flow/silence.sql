-- For how long no leader has given a sign of life.
SELECT extract(epoch FROM coalesce(now() - max(beat_at), interval '0'))::float8 AS seconds
FROM leader
