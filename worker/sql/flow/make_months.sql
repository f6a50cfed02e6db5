-- The ledger's partitions of this month and the next two.
SELECT docmill_make_months()
