-- From now on the batch goes by this configuration.
UPDATE batches SET configuration_id = %(configuration)s
WHERE id = %(batch)s AND state IN ('running', 'paused')
RETURNING id
