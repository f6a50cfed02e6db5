-- Workers that have not been seen for a while are gone, and what they said with them.
DELETE FROM workers WHERE seen_at < now() - %(silence_s)s * interval '1 second' RETURNING owner
