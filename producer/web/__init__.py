"""The page: batches, progress, results and costs in a browser."""
