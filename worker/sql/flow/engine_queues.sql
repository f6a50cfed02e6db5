-- The queues of these engines in which some batch has a line, and in which its bulks' jobs will run.
SELECT DISTINCT CASE stage WHEN 'bulk' THEN 'run' ELSE stage END AS stage, engine, model
FROM lines WHERE engine = ANY (%(engines)s)
