"""What the producer and the worker must agree on.

Tables, states, message and spec schemas, errors, database and queue access, shared settings.
This package imports nothing of ours. A language model is called `model_name` everywhere; the
word "models" here means what is stored and what is passed.
"""
