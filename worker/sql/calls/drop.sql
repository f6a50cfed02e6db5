-- Reserved calls that turned out not to be needed and were never made. (Said as what they are not:
-- the index of what is reserved looks so short that all of it would be read.)
DELETE FROM calls WHERE id = ANY(%(ids)s) AND state NOT IN ('settled', 'refused', 'lost', 'reused')
