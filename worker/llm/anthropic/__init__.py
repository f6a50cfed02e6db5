"""Anthropic's Messages API."""

KEY_NAME = "ANTHROPIC_API_KEY"
"""The variable that usually holds the key."""
