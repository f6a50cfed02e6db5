"""Loopback stand-ins for engines, in a test's own loop, in a thread or as a process."""
