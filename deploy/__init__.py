"""How a portal is brought up: natively on one machine (`native/`), or in containers (`docker-compose.yml`)."""
