-- How many answers of a batch wait for a review, up to so many, and how many of them somebody is at.
SELECT count(*) AS answers, count(*) FILTER (WHERE until > now()) AS claimed
FROM (SELECT until FROM reviews WHERE batch_id = %(batch)s LIMIT %(most)s) r
