"""A job's question is asked, checked and judged."""
