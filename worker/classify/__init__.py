"""Which task type an (ask, text) pair is."""
