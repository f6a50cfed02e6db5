-- Whether there is a gold set of this name.
SELECT EXISTS (SELECT FROM gold WHERE name = %(name)s) AS known
