"""Adapters: what makes a small model better at one job, trained from pairs of prompt and answer."""
