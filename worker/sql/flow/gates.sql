-- What no living worker asks at present, host by host.
SELECT g.engine, g.model, s.address, g.code, g.message, g.lasting
FROM gates g JOIN servers s ON s.owner = g.owner AND s.engine = g.engine
ORDER BY g.engine, s.address, g.model
