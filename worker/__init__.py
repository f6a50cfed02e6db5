"""The path itself: ingest -> classify -> route -> run -> persist."""
