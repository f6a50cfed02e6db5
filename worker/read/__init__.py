"""What a document says: readers of each kind, and the child processes that they run in."""
