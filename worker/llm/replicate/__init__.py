"""Replicate's predictions."""

KEY_NAME = "REPLICATE_API_TOKEN"
"""The variable that usually holds the key."""
