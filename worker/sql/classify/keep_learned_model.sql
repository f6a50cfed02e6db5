-- From now on this model of asks counts, for whatever is read or classified next.
INSERT INTO learned_models (version, weights, report)
VALUES (%(version)s, %(weights)s, %(report)s) RETURNING id
