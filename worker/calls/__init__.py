"""What a call to an engine takes: leave, ledger, journal, answer, money."""
