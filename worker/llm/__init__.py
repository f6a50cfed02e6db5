"""Everything needed to talk to a language model."""
