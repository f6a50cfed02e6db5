"""Models compared on texts whose right answers are known: an eval is a batch like any other.

`run` asks and stores, `figures` and `stats` count, `choose` says which model is good enough.
"""

QUALITY = 0.95
"""Of the best model's accuracy: what is as good as that is good enough."""

MOST_TEXTS = 10_000
"""Of one eval."""
