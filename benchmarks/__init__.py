"""What Docmill itself costs: ratios measured in one run, never absolute promises."""
