"""Tuning of small models: gold becomes pairs, what was trained is measured, served and registered.

`terms` says whose answers may be trained on, `export` writes pairs, `registry` keeps what came of
them, `serve` says how an engine takes an adapter. The training itself is the worker's.
"""
