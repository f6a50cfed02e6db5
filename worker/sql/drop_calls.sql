-- Reserved calls that turned out not to be needed and were never made.
DELETE FROM calls WHERE id = ANY(%(ids)s) AND state = 'reserved'
