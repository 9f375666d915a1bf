"""A real CKAN portal on one machine, by one command: services of its own, on loopback, in a folder of its own."""
