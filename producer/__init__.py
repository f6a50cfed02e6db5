"""The way in and the way out: submit, query, command line, web page."""
