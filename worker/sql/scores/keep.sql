-- From now on these scores count, for every answer that is judged next.
INSERT INTO score_models (version, model, report)
VALUES (%(version)s, %(model)s, %(report)s) RETURNING id
