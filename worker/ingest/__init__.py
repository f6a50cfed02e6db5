"""Documents become chunks, chunks times asks become jobs."""
