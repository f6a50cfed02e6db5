-- Which of these lines are closed: their batch is paused or cancelled, or a hold concerns them.
SELECT id FROM lines WHERE id = ANY (%(lines)s) AND NOT open
