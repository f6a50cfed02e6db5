-- A worker says goodbye.
DELETE FROM workers WHERE owner = %(owner)s
