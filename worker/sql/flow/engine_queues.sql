-- The queues of these engines in which some batch has a line.
SELECT DISTINCT queue, stage, engine, model FROM lines WHERE engine = ANY (%(engines)s)
