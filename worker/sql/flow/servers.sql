-- What living workers reach, and how much they have there in flight.
SELECT s.engine, s.address, w.host, w.pid, s.slots, s.in_use, s.max_slots
FROM servers s JOIN workers w ON w.owner = s.owner
ORDER BY s.engine, s.address, w.host, w.pid
