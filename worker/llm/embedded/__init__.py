"""The language model that comes with Docmill."""
