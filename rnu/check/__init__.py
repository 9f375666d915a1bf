"""Check a delivery against its Table Schema: the only rule book, with frictionless' own verdict."""
