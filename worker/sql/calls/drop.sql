-- Reserved calls that turned out not to be needed and were never made.
SELECT docmill_drop_calls(%(ids)s)
