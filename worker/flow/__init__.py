"""How work moves: leases, slots, queues."""
