"""Bulks: the batch APIs of providers, for work that has time.

A bulk answers the first calls of its jobs. What it brought stands in the ledger; the job then runs
as any other and finds its answer there. Everything about a bulk stands in Postgres, so that any
worker moves it on where another one left it.
"""
